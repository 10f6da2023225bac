"""The metadata of an OME-Zarr image, as versions 0.5 and 0.4 have them."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from napari_ssp.io.ngff.metadata import OWN_KEY
from napari_ssp.io.stored_origin import list_origin
from napari_ssp.place import translation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_ssp.image import MicroscopyImage

VERSION = "0.5"
_TYPES = {"t": "time", "c": "channel"}
_RGB_NAMES = ("Red", "Green", "Blue", "Alpha")
_RGB_COLOURS = ("FF0000", "00FF00", "0000FF", "FFFFFF")
_COLOURS = ("FFFFFF", "00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF")


def stored_axes(image: MicroscopyImage) -> str:
    """Axes in the order that OME-Zarr asks for."""
    return "".join(a for a in "tczyx" if a in image.axes)


def image_attributes(
    image: MicroscopyImage,
    shapes: Sequence[tuple[int, ...]],
    windows: Mapping[int, tuple[float, float]],
    is_labels: bool,
    version: str = VERSION,
) -> dict[str, Any]:
    """Build the attributes of the group.

    Parameters
    ----------
    image : MicroscopyImage
        What is stored.
    shapes : sequence of tuples
        Shape of each level, the largest first; each halves y and x.
    windows : mapping
        Least and largest value of each channel.
    is_labels : bool
        Whether the values are object numbers.
    version : str
        "0.5", or "0.4".

    Returns
    -------
    dict
        For JSON. Scales are in µm; without a voxel size they are 1 and have no unit.
    """
    multiscale = {
        "name": image.name,
        "axes": [_axis(image, letter) for letter in stored_axes(image)],
        "datasets": [_dataset(image, level, is_labels) for level in range(len(shapes))],
        "type": "nearest" if is_labels else "mean",
    }
    ome: dict[str, Any] = {"multiscales": [multiscale]}
    names = _RGB_NAMES[: image.sizes["c"]] if image.rgb else image.channel_names
    if is_labels:
        ome["image-label"] = {}
    elif names:
        colours = cycle(_RGB_COLOURS if image.rgb else _COLOURS)
        listed = enumerate(zip(names, colours, strict=False))
        channels = [_channel(name, colour, windows[i]) for i, (name, colour) in listed]
        ome["omero"] = {"channels": channels}
    origin = list_origin(image)
    own = {**({"rgb": True} if image.rgb else {}), **({"origin": origin} if origin else {})}
    return {**with_version(ome, version), **({OWN_KEY: own} if own else {})}


def with_version(ome: dict[str, Any], version: str) -> dict[str, Any]:
    """Put attributes where a version of OME-Zarr has them: below "ome" since 0.5."""
    if version == VERSION:
        return {"ome": {"version": version, **ome}}
    images = [{"version": version, **one} for one in ome.get("multiscales", ())]
    return {**ome, **({"multiscales": images} if images else {})}


def _axis(image: MicroscopyImage, letter: str) -> dict[str, str]:
    axis = {"name": letter, "type": _TYPES.get(letter, "space")}
    if axis["type"] == "space" and image.voxel_size is not None:
        axis["unit"] = "micrometer"
    return axis


def _dataset(image: MicroscopyImage, level: int, is_labels: bool) -> dict[str, Any]:
    sizes = dict(zip("zyx", image.voxel_size or (1.0, 1.0, 1.0), strict=True))
    axes = stored_axes(image)
    scale = [sizes.get(a, 1.0) * (2**level if a in "yx" else 1) for a in axes]
    transforms: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    starts = {"t": float(image.origin[0]), **dict(zip("zyx", translation(image), strict=True))}
    if not is_labels:
        # The first mean lies between the pixels that it is made of.
        starts |= {a: starts[a] + sizes[a] * (2**level - 1) / 2 for a in "yx"}
    shift = [starts.get(a, 0.0) for a in axes]
    if any(shift):
        transforms.append({"type": "translation", "translation": shift})
    return {"path": str(level), "coordinateTransformations": transforms}


def _channel(name: str, colour: str, window: tuple[float, float]) -> dict[str, Any]:
    low, high = window
    shown = {"min": low, "max": high, "start": low, "end": high}
    return {"label": name, "color": colour, "window": shown, "active": True}
