"""OME-XML of a file: what it says about the images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_ssp.io.calibration import Length, Lengths
from napari_ssp.io.scene import channel_names
from napari_ssp.io.tiff.place import OmePlace, parse_place
from napari_ssp.io.xml import children

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree import ElementTree


@dataclass(frozen=True)
class OmeImage:
    """One Image element.

    Attributes
    ----------
    name, description : str
        As in the file, or empty.
    lengths : dict of str to Length
        PhysicalSizeX, Y and Z, as far as they are there.
    channel_names : tuple of str
        One per Channel element, or empty when none has a name.
    place : OmePlace
        Where it lies.
    """

    name: str = ""
    description: str = ""
    lengths: Lengths = field(default_factory=dict)
    channel_names: tuple[str, ...] = ()
    place: OmePlace = field(default_factory=OmePlace)


def parse_ome(root: ElementTree.Element | None) -> list[OmeImage]:
    """Read the Image elements of OME-XML of any schema year.

    Parameters
    ----------
    root : xml.etree.ElementTree.Element or None
        The document.

    Returns
    -------
    list of OmeImage
        In the order of the file; empty when there is no document.
    """
    if root is None:
        return []
    holders = children(root, "StructuredAnnotations")
    notes = {note.get("ID", ""): note for holder in holders for note in holder}
    return [_image(element, notes) for element in children(root, "Image")]


def _image(element: ElementTree.Element, notes: Mapping[str, ElementTree.Element]) -> OmeImage:
    name = element.get("Name", "")
    description = next((e.text or "" for e in children(element, "Description")), "")
    pixels = next(children(element, "Pixels"), None)
    if pixels is None:
        return OmeImage(name, description)
    names = channel_names([channel.get("Name") for channel in children(pixels, "Channel")])
    place = parse_place(element, notes)
    return OmeImage(name, description, _lengths(pixels), names, place)


def _lengths(pixels: ElementTree.Element) -> Lengths:
    names = {axis: f"PhysicalSize{axis.upper()}" for axis in "zyx"}
    return {
        axis: Length(pixels.get(name), pixels.get(f"{name}Unit"))
        for axis, name in names.items()
        if name in pixels.attrib
    }
