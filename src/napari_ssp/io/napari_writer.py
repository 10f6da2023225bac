"""The npe2 writers: Image and Labels layers as OME-TIFF or OME-Zarr with scale and units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.image import AXES, MicroscopyImage
from napari_ssp.io.writing import write_image, write_labels

if TYPE_CHECKING:
    from napari_ssp.image import VoxelSize

_DEFAULT_AXES = {2: "yx", 3: "zyx", 4: "tzyx"}


def write_image_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one Image layer as OME-TIFF, or as OME-Zarr where the name ends with ".zarr".

    napari asks before it saves over a file, so an existing file or Zarr is replaced.

    Parameters
    ----------
    path : str
        The file, or the folder of an OME-Zarr.
    data : array, or sequence of arrays
        The layer's data; of a pyramid the first level is saved.
    attributes : dict
        The layer's attributes: rgb, scale, units, axis_labels, name.

    Returns
    -------
    list of str
        The file that was written.

    Raises
    ------
    ValueError
        If the layer has more than four axes without names.
    """
    array = _full_level(data, attributes)
    rgb = bool(attributes.get("rgb"))
    axes = _layer_axes(array.ndim - rgb, attributes) + "c" * rgb
    name = str(attributes.get("name") or "image")
    image = MicroscopyImage(array, axes, _voxel_size(axes, attributes), name=name, rgb=rgb)
    return [str(write_image(path, image, overwrite=True))]


def write_labels_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one Labels layer as OME-TIFF or OME-Zarr, uint16 when the numbers fit, else uint32.

    napari asks before it saves over a file, so an existing file or Zarr is replaced.

    Parameters
    ----------
    path : str
        The file, or the folder of an OME-Zarr.
    data : array, or sequence of arrays
        The layer's data; of a pyramid the first level is saved.
    attributes : dict
        The layer's attributes: scale, units, axis_labels.

    Returns
    -------
    list of str
        The file that was written.

    Raises
    ------
    ValueError
        If the layer has more than four axes without names, or labels below 0.
    """
    array = _full_level(data, attributes)
    axes = _layer_axes(array.ndim, attributes)
    size = _voxel_size(axes, attributes)
    return [str(write_labels(path, array, axes=axes, voxel_size=size, overwrite=True))]


def _full_level(data: Any, attributes: dict[str, Any]) -> Any:
    return data[0] if attributes.get("multiscale") else data


def _layer_axes(ndim: int, attributes: dict[str, Any]) -> str:
    """Use the layer's own axis names where they are ours, else the usual order."""
    labels = [str(label).lower() for label in attributes.get("axis_labels") or ()]
    named = len(labels) == ndim == len(set(labels)) and set(labels) <= set(AXES)
    if named and {"y", "x"} <= set(labels):
        return "".join(labels)
    if ndim in _DEFAULT_AXES:
        return _DEFAULT_AXES[ndim]
    raise ValueError(
        f"The layer has {ndim} axes named {labels}, and a file needs to know what they are. Set "
        f"layer.axis_labels to letters of '{AXES}', one per axis."
    )


def _voxel_size(axes: str, attributes: dict[str, Any]) -> VoxelSize | None:
    scale, units = attributes.get("scale"), attributes.get("units")
    if scale is None or units is None:
        return None
    letters = [a for a in axes if a != "c"] if attributes.get("rgb") else list(axes)
    if isinstance(units, str) or not isinstance(units, (list, tuple)):
        units = [units] * len(letters)
    found = zip(letters, scale, units, strict=False)
    sizes = {letter: _in_micrometres(abs(float(s)), unit) for letter, s, unit in found}
    if sizes.get("y") is None or sizes.get("x") is None:
        return None
    return sizes.get("z") or 1.0, sizes["y"] or 1.0, sizes["x"] or 1.0


def _in_micrometres(length: float, unit: Any) -> float | None:
    # napari brings pint; without napari nobody calls this.
    import pint

    try:
        registry: Any = pint.application_registry
        quantity = registry.get().Quantity(length, unit)
        return float(quantity.to("micrometer").magnitude)
    except (pint.DimensionalityError, pint.UndefinedUnitError):
        return None  # pixels say nothing about the size
