"""Metadata of an OME-Zarr group, of any version up to 0.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_ssp.image import AXES
from napari_ssp.io.calibration import Length, Lengths

#: Our own entry beside OME's, for what OME-Zarr cannot say.
OWN_KEY = "napari_ssp"
# Versions 0.1 and 0.2 name no axes: there are always these.
_OLD_AXES = "tczyx"
_LETTER_OF_TYPE = {"time": "t", "channel": "c"}


@dataclass(frozen=True)
class NgffImage:
    """One image with its levels.

    Attributes
    ----------
    name : str
        As in the file, or empty.
    axes : str
        One of "tczyx" per axis, or "?" for an axis that is none of them.
    paths : tuple of str
        The arrays of its levels, the largest first.
    lengths : dict of str to Length
        Size of a voxel along z, y and x, as far as it is there.
    channel_names : tuple of str
        As in the file, or empty.
    is_labels : bool
        Whether its values are object numbers.
    rgb : bool
        Whether we wrote it from an image with colours.
    """

    name: str
    axes: str
    paths: tuple[str, ...]
    lengths: Lengths
    channel_names: tuple[str, ...] = ()
    is_labels: bool = False
    rgb: bool = False


def ome_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the attributes that OME-Zarr defines: below "ome" since version 0.5, else all."""
    ome = attributes.get("ome", attributes)
    return ome if isinstance(ome, Mapping) else {}


def parse_image(attributes: Mapping[str, Any]) -> NgffImage:
    """Read the attributes of a group that holds an image.

    Parameters
    ----------
    attributes : mapping
        All attributes of the group.

    Returns
    -------
    NgffImage

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError, IndexError
        If something is missing or of another kind than it should be.
    """
    ome = ome_attributes(attributes)
    multiscale = ome["multiscales"][0]
    datasets = multiscale["datasets"]
    axes = _axes(multiscale.get("axes") or _OLD_AXES)
    own = attributes.get(OWN_KEY) or {}
    return NgffImage(
        name=str(multiscale.get("name") or ""),
        axes=axes,
        paths=tuple(str(dataset["path"]) for dataset in datasets),
        lengths=_lengths(multiscale, axes),
        channel_names=_channel_names(ome),
        is_labels="image-label" in ome,
        rgb=bool(own.get("rgb")),
    )


def _axes(axes: Sequence[Any]) -> str:
    letters = ""
    for axis in axes:
        named = axis if isinstance(axis, Mapping) else {"name": axis}
        letter = _LETTER_OF_TYPE.get(named.get("type", ""), str(named["name"]).lower())
        letters += letter if letter in AXES and letter not in letters else "?"
    return letters


def _lengths(multiscale: Mapping[str, Any], axes: str) -> Lengths:
    """Scale; without a unit it is µm where it differs from 1, else it is not known."""
    scale = _scale(multiscale["datasets"][0], len(axes))
    shared = _scale(multiscale, len(axes))
    units = [a.get("unit") if isinstance(a, Mapping) else None for a in multiscale.get("axes", ())]
    found = zip(axes, scale, shared, units, strict=False)
    lengths = {a: Length(n * m, unit) for a, n, m, unit in found if a in "zyx"}
    if all(length.value == 1 and not length.unit for length in lengths.values()):
        return {}
    return lengths


def _scale(holder: Mapping[str, Any], ndim: int) -> list[float]:
    for transform in holder.get("coordinateTransformations") or ():
        if transform.get("type") == "scale" and "scale" in transform:
            return [float(n) for n in transform["scale"]]
    return [1.0] * ndim


def _channel_names(ome: Mapping[str, Any]) -> tuple[str, ...]:
    channels = (ome.get("omero") or {}).get("channels") or ()
    names = [str(channel.get("label") or "") for channel in channels]
    return tuple(n or f"channel {i}" for i, n in enumerate(names)) if any(names) else ()
