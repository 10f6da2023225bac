"""OME-XML of a file: what it says about the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.io.calibration import micrometres, voxel_size
from napari_ssp.io.xml import parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree import ElementTree

    from napari_ssp.image import VoxelSize


@dataclass(frozen=True)
class OmeImage:
    """One Image element.

    Attributes
    ----------
    name, description : str
        As in the file, or empty.
    voxel_size : tuple of three floats, or None
        µm along z, y and x.
    channel_names : tuple of str
        One per Channel element, or empty when none has a name.
    """

    name: str = ""
    description: str = ""
    voxel_size: VoxelSize | None = None
    channel_names: tuple[str, ...] = ()


def parse_ome(xml: str | None) -> list[OmeImage]:
    """Read the Image elements of OME-XML of any schema year.

    Parameters
    ----------
    xml : str or None
        The document.

    Returns
    -------
    list of OmeImage
        In the order of the file; empty when there is no document or it cannot be parsed.
    """
    if not xml:
        return []
    root = parse_xml(xml)
    return [] if root is None else [_image(element) for element in _children(root, "Image")]


def _image(element: ElementTree.Element) -> OmeImage:
    name = element.get("Name", "")
    description = next((e.text or "" for e in _children(element, "Description")), "")
    pixels = next(_children(element, "Pixels"), None)
    if pixels is None:
        return OmeImage(name, description)
    z, y, x = (_length(pixels, f"PhysicalSize{axis}") for axis in "ZYX")
    channels = [channel.get("Name") for channel in _children(pixels, "Channel")]
    names = tuple(n or f"channel {i}" for i, n in enumerate(channels)) if any(channels) else ()
    return OmeImage(name, description, voxel_size(z, y, x), names)


def _length(pixels: ElementTree.Element, attribute: str) -> float | None:
    return micrometres(pixels.get(attribute), pixels.get(f"{attribute}Unit"))


def _children(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    # The namespace holds the schema's year, so only the name behind it counts.
    return (child for child in element if child.tag.rpartition("}")[2] == name)
