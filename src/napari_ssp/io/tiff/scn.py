"""Metadata of a Leica SCN slide: its images, how large they are, which one is the overview."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_ssp.io.calibration import Length, Lengths
from napari_ssp.io.xml import children, parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree import ElementTree


@dataclass(frozen=True)
class ScnImage:
    """One image of a slide.

    Attributes
    ----------
    lengths : dict of str to Length
        Size of a pixel along y and x.
    is_overview : bool
        Whether it shows the whole glass with its label.
    """

    lengths: Lengths = field(default_factory=dict)
    is_overview: bool = False


def scn_images(xml: str) -> list[ScnImage]:
    """Read the images of a slide.

    Parameters
    ----------
    xml : str
        The description of the file's first page.

    Returns
    -------
    list of ScnImage
        In the order of tifffile's series; empty when the document cannot be parsed.
    """
    root = parse_xml(xml)
    if root is None:
        return []
    return [
        _image(collection, image)
        for collection in children(root, "collection")
        for image in children(collection, "image")
        if any(next(children(pixels, "dimension"), None) is not None for pixels in _pixels(image))
    ]


def _image(collection: ElementTree.Element, image: ElementTree.Element) -> ScnImage:
    view = next(children(image, "view"), None)
    pixels = next(_pixels(image))
    if view is None:
        return ScnImage()
    # The view is in nm, on a slide that the collection covers.
    lengths = {
        axis: Length(_ratio(view, pixels, f"size{axis.upper()}"), "nm") for axis in ("y", "x")
    }
    whole = all(view.get(name) == collection.get(name) for name in ("sizeX", "sizeY"))
    return ScnImage(lengths, whole)


def _ratio(view: ElementTree.Element, pixels: ElementTree.Element, name: str) -> float | None:
    try:
        return float(view.get(name, "")) / float(pixels.get(name, ""))
    except (ValueError, ZeroDivisionError):
        return None


def _pixels(image: ElementTree.Element) -> Iterator[ElementTree.Element]:
    return children(image, "pixels")
