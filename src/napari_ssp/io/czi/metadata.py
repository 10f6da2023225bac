"""Metadata of a CZI file: sizes and names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.io.calibration import Length, Lengths
from napari_ssp.io.xml import parse_xml

if TYPE_CHECKING:
    from xml.etree import ElementTree

_DIMENSIONS = "Metadata/Information/Image/Dimensions"
_NAMES = ("ShortName", "DyeName", "Fluor")


@dataclass(frozen=True)
class CziMetadata:
    """Sizes and names.

    Attributes
    ----------
    lengths : dict of str to Length
        Size of a voxel along z, y and x, as far as it is there.
    channel_names : tuple of str
        One per channel, empty where the file has none.
    scene_names : dict
        Name of each scene that has one, by its number.
    """

    lengths: Lengths
    channel_names: tuple[str, ...]
    scene_names: dict[int, str]


def parse_czi(xml: str) -> CziMetadata:
    """Read the metadata document of a CZI file.

    Parameters
    ----------
    xml : str
        The document.

    Returns
    -------
    CziMetadata
        Without sizes and names when it cannot be parsed.
    """
    root = parse_xml(xml)
    if root is None:
        return CziMetadata({}, (), {})
    return CziMetadata(_lengths(root), _channel_names(root), _scene_names(root))


def _lengths(root: ElementTree.Element) -> Lengths:
    distances = root.iterfind("Metadata/Scaling/Items/Distance")
    found = {d.get("Id", "").lower(): d.findtext("Value", "") for d in distances}
    # Where nobody calibrated, the value is 0.
    return {axis: Length(text, "m") for axis, text in found.items() if text.strip("0. ")}


def _channel_names(root: ElementTree.Element) -> tuple[str, ...]:
    channels = root.findall(f"{_DIMENSIONS}/Channels/Channel")
    shown = root.findall("Metadata/DisplaySetting/Channels/Channel")
    names = [_name(channel) for channel in channels or shown]
    if len(shown) == len(names):
        names = [name or _name(other) for name, other in zip(names, shown, strict=True)]
    return tuple(names)


def _name(channel: ElementTree.Element) -> str:
    found = [channel.get("Name"), *(channel.findtext(tag) for tag in _NAMES)]
    return next((name.strip() for name in found if name and name.strip()), "")


def _scene_names(root: ElementTree.Element) -> dict[int, str]:
    scenes = root.iterfind(f"{_DIMENSIONS}/S/Scenes/Scene")
    named = ((scene.get("Index", ""), scene.get("Name", "").strip()) for scene in scenes)
    return {int(index): name for index, name in named if index.isdecimal() and name}
