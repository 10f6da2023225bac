"""Metadata of one image of a LIF file: sizes and names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_ssp.io.calibration import Length, Lengths

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_DESCRIPTION = "Data/Image/ImageDescription"
_TILES = 'Data/Image/Attachment[@Name="TileScanInfo"]'
_TURNS = ("FlipX", "FlipY", "SwapXY")
_METRE = 1e6
_AXES = {"1": "x", "2": "y", "3": "z"}
_DYE = "DyeName"


def lif_lengths(element: Element) -> Lengths:
    """Size of a voxel along z, y and x.

    Parameters
    ----------
    element : xml.etree.ElementTree.Element
        What the file says of the image.

    Returns
    -------
    dict of str to Length
        The file gives the way from the first to the last pixel; axes of one pixel have none.
    """
    found = {}
    for dimension in element.iterfind(f"{_DESCRIPTION}/Dimensions/DimensionDescription"):
        axis = _AXES.get(dimension.get("DimID", ""))
        steps = int(dimension.get("NumberOfElements", "1")) - 1
        if axis and steps > 0:
            # Stacks that were taken from above to below are long by a negative number.
            step = abs(float(dimension.get("Length", "nan"))) / steps
            found[axis] = Length(step, dimension.get("Unit"))
    return found


def lif_channels(element: Element) -> tuple[str, ...]:
    """Name of each channel: its dye, else what it measures, else its colour.

    Parameters
    ----------
    element : xml.etree.ElementTree.Element
        What the file says of the image.

    Returns
    -------
    tuple of str
        In the order of the pixels; empty where channels have no names.
    """
    return tuple(_name(channel) for channel in _channels(element))


def lif_corners(element: Element) -> list[tuple[float, float, float]]:
    """Place of each position of a mosaic.

    Parameters
    ----------
    element : xml.etree.ElementTree.Element
        What the file says of the image.

    Returns
    -------
    list of three floats
        Along z, y and x in µm, from the upper left of all; empty where the file has none, or the
        stage lies mirrored or turned to the image.
    """
    scan = element.find(_TILES)
    if scan is None or any(scan.get(turn, "0") != "0" for turn in _TURNS):
        return []
    places = [(float(t.get("PosY", "nan")), float(t.get("PosX", "nan"))) for t in scan]
    if not all(math.isfinite(n) for place in places for n in place):
        return []
    top, left = (min(axis) for axis in zip(*places, strict=True)) if places else (0.0, 0.0)
    return [(0.0, (y - top) * _METRE, (x - left) * _METRE) for y, x in places]


def _channels(element: Element) -> list[Element]:
    found = element.findall(f"{_DESCRIPTION}/Channels/ChannelDescription")
    return sorted(found, key=lambda channel: int(channel.get("BytesInc", "0")))


def _name(channel: Element) -> str:
    dyes = [
        pair.findtext("Value") or ""
        for pair in channel.iterfind("ChannelProperty")
        if pair.findtext("Key") == _DYE
    ]
    given = (*dyes, channel.get("NameOfMeasuredQuantity"), channel.get("LUTName"))
    return next((name.strip() for name in given if name and name.strip()), "")
