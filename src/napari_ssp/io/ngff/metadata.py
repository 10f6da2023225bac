"""Metadata of an OME-Zarr group, of any version up to 0.5."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_ssp.image import AXES
from napari_ssp.io.calibration import Length, Lengths
from napari_ssp.io.scene import channel_names
from napari_ssp.io.stored_origin import parse_origin

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
    starts : mapping
        Where its first voxel lies along "z", "y" and "x", in the unit of the lengths.
    origin : mapping
        Where its first pixel lies in the full image, by the letters of that image's axes; empty
        where we did not write it as a part of one.
    """

    name: str
    axes: str
    paths: tuple[str, ...]
    lengths: Lengths
    channel_names: tuple[str, ...] = ()
    is_labels: bool = False
    rgb: bool = False
    starts: Mapping[str, float] = field(default_factory=dict)
    origin: Mapping[str, int] = field(default_factory=dict)


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
    steps = _steps(multiscale, axes)
    return NgffImage(
        name=str(multiscale.get("name") or ""),
        axes=axes,
        paths=tuple(str(dataset["path"]) for dataset in datasets),
        lengths=_lengths(steps),
        channel_names=_channel_names(ome),
        is_labels="image-label" in ome,
        rgb=bool(own.get("rgb")),
        starts={a: step.start for a, step in steps.items()},
        origin=parse_origin(own.get("origin")),
    )


def _axes(axes: Sequence[Any]) -> str:
    letters = ""
    for axis in axes:
        named = axis if isinstance(axis, Mapping) else {"name": axis}
        letter = _LETTER_OF_TYPE.get(named.get("type", ""), str(named["name"]).lower())
        letters += letter if letter in AXES and letter not in letters else "?"
    return letters


@dataclass(frozen=True)
class _Step:
    """From one pixel to the next along an axis, and where the first one lies."""

    length: float
    start: float
    unit: str | None


def _steps(multiscale: Mapping[str, Any], axes: str) -> dict[str, _Step]:
    """Join the transforms of the full level, then those of all levels, along z, y and x."""
    lengths, starts = [1.0] * len(axes), [0.0] * len(axes)
    for holder in (multiscale["datasets"][0], multiscale):
        for transform in holder.get("coordinateTransformations") or ():
            scale = _numbers(transform, "scale", axes) or [1.0] * len(axes)
            shift = _numbers(transform, "translation", axes) or [0.0] * len(axes)
            lengths = [n * m for n, m in zip(lengths, scale, strict=True)]
            starts = [n * m + k for n, m, k in zip(starts, scale, shift, strict=True)]
    given = multiscale.get("axes") or ()
    units = [axis.get("unit") if isinstance(axis, Mapping) else None for axis in given]
    units += [None] * (len(axes) - len(units))
    found = zip(axes, lengths, starts, units, strict=True)
    return {a: _Step(length, start, unit) for a, length, start, unit in found if a in "zyx"}


def _numbers(transform: Mapping[str, Any], kind: str, axes: str) -> list[float] | None:
    if transform.get("type") != kind or kind not in transform:
        return None
    numbers = [float(n) for n in transform[kind]]
    if len(numbers) != len(axes) or not all(map(math.isfinite, numbers)):
        raise ValueError(f"its {kind} is {transform[kind]} for the {len(axes)} axes '{axes}'")
    return numbers


def _lengths(steps: Mapping[str, _Step]) -> Lengths:
    """Scale; without a unit it is µm where it differs from 1, else it is not known."""
    if all(step.length == 1 and not step.unit for step in steps.values()):
        return {}
    return {a: Length(step.length, step.unit) for a, step in steps.items()}


def _channel_names(ome: Mapping[str, Any]) -> tuple[str, ...]:
    channels = (ome.get("omero") or {}).get("channels") or ()
    return channel_names([str(channel.get("label") or "") for channel in channels])
