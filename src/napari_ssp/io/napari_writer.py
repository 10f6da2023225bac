"""The npe2 writers: Image and Labels layers as OME-TIFF or OME-Zarr with scale, units and place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_ssp.image import MicroscopyImage
from napari_ssp.io.layer_attributes import (
    METADATA_KEY,
    UNFINISHED_KEY,
    layer_axes,
    layer_place,
    layer_voxel_size,
)
from napari_ssp.io.objects.notes import write_provenance
from napari_ssp.io.scene import is_zarr_name
from napari_ssp.io.writing import write_image, write_labels

TIFF, ZARR = ".ome.tif", ".ome.zarr"
_TIFFS = (".tif", ".tiff")


def write_image_layer(
    path: str, data: Any, attributes: dict[str, Any], ending: str = TIFF
) -> list[str]:
    """Write one Image layer as OME-TIFF, or as OME-Zarr where the name ends with ".zarr".

    napari asks before it saves over a file, so an existing file or Zarr of the whole name is
    replaced.

    Parameters
    ----------
    path : str
        The file, or the folder of an OME-Zarr.
    data : array, or sequence of arrays
        The layer's data; of a pyramid the first level is saved.
    attributes : dict
        The layer's attributes: rgb, scale, units, axis_labels, translate, affine, name.
    ending : str
        Of a name that has none: napari proposes the layer's.

    Returns
    -------
    list of str
        The file that was written.

    Raises
    ------
    FileExistsError
        If a file has the name with its ending, about which napari did not ask.
    ValueError
        If the layer's axis labels leave open what its axes are.
    """
    target, asked = _target(path, ending)
    return [str(write_image(target, _layer_image(data, attributes), overwrite=asked))]


def write_image_zarr(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """As `write_image_layer`, as OME-Zarr where the name does not say."""
    return write_image_layer(path, data, attributes, ZARR)


def write_labels_layer(
    path: str, data: Any, attributes: dict[str, Any], ending: str = TIFF
) -> list[str]:
    """Write one Labels layer as OME-TIFF or OME-Zarr, uint16 when the numbers fit, else uint32.

    napari asks before it saves over a file, so an existing file or Zarr of the whole name is
    replaced. How a result was made, and how its objects were edited, is written beside it as JSON.

    Parameters
    ----------
    path : str
        The file, or the folder of an OME-Zarr.
    data : array, or sequence of arrays
        The layer's data; of a pyramid the first level is saved.
    attributes : dict
        The layer's attributes: scale, units, axis_labels, translate, affine, metadata.
    ending : str
        Of a name that has none: napari proposes the layer's.

    Returns
    -------
    list of str
        The files that were written.

    Raises
    ------
    FileExistsError
        If a file has the name with its ending, about which napari did not ask.
    ValueError
        If the layer's axis labels leave open what its axes are, labels are below 0, or the result
        is not complete.
    """
    if UNFINISHED_KEY in (attributes.get("metadata") or {}):
        raise ValueError(
            f"'{attributes.get('name')}' shows a result that is being made, so it is not saved. It "
            "is written to its own file as it is made; save a copy when it is complete."
        )
    target, asked = _target(path, ending)
    written = write_labels(target, _layer_image(data, attributes), overwrite=asked)
    record = (attributes.get("metadata") or {}).get(METADATA_KEY)
    beside = write_provenance(written, record)
    return [str(written), *([] if beside is None else [str(beside)])]


def write_labels_zarr(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """As `write_labels_layer`, as OME-Zarr where the name does not say."""
    return write_labels_layer(path, data, attributes, ZARR)


def _target(path: str, ending: str) -> tuple[Path, bool]:
    """Name with an ending by which it is found again, and whether napari asked about it."""
    target = Path(path)
    if target.suffix.lower() in _TIFFS or is_zarr_name(target):
        return target, True
    named = target.with_name(f"{target.name}{ending}")
    if named.exists():
        raise FileExistsError(
            f"'{named}' exists already and was left as it is. To replace it, save under its whole "
            f"name, '{named.name}'."
        )
    return named, False


def _layer_image(data: Any, attributes: dict[str, Any]) -> MicroscopyImage:
    """Image of a layer's attributes, with its voxel size and its place."""
    array = data[0] if attributes.get("multiscale") else data
    rgb = bool(attributes.get("rgb"))
    ndim = array.ndim - rgb
    name = str(attributes.get("name") or "image")
    axes = layer_axes(attributes.get("axis_labels") or ("",) * ndim, name)
    scale, units = attributes.get("scale"), attributes.get("units")
    scale = [1.0] * ndim if scale is None else list(scale)
    if isinstance(units, str) or not isinstance(units, (list, tuple)):
        units = ["pixel" if units is None else units] * ndim
    size = layer_voxel_size(axes, scale, units)
    corner = _corner(ndim, attributes)
    metadata = attributes.get("metadata") or {}
    place = layer_place(axes, scale, corner, size, metadata)
    return MicroscopyImage(array, axes + "c" * rgb, size, name=name, rgb=rgb, **place)


def _corner(ndim: int, attributes: dict[str, Any]) -> Any:
    """Where a layer's first pixel lies in the world."""
    shift, affine = attributes.get("translate"), attributes.get("affine")
    start = np.append(np.zeros(ndim) if shift is None else np.asarray(shift, float), 1.0)
    return start[:-1] if affine is None else (np.asarray(affine, float) @ start)[:-1]
