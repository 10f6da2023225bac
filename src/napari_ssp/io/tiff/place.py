"""The place of an image in OME-XML: positions of planes, and our annotation with the origin."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_ssp.io.calibration import micrometres
from napari_ssp.io.stored_origin import list_origin, parse_origin, place_part
from napari_ssp.place import translation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from xml.etree.ElementTree import Element

    from napari_ssp.image import MicroscopyImage

_NAMESPACE = "napari-ssp/origin"
_MICROMETRE, _VOXEL = "µm", "pixel"


@dataclass(frozen=True)
class OmePlace:
    """Where an image lies, as its element in OME-XML says.

    Attributes
    ----------
    lengths, voxels : mapping
        Position of the first plane along "z", "y" and "x", in µm or in voxels, as far as it has
        one in such a unit.
    origin : mapping or None
        Position in the full image by letter, empty for a whole image; None where we did not write
        the file.
    """

    lengths: Mapping[str, float] = field(default_factory=dict)
    voxels: Mapping[str, float] = field(default_factory=dict)
    origin: Mapping[str, int] | None = None

    def translation(self, image: MicroscopyImage) -> tuple[float, float, float] | None:
        """Place along z, y and x in the image's unit; None where y or x is not given in it."""
        found = self.voxels if image.voxel_size is None else self.lengths
        if not {"y", "x"} <= set(found):
            return None
        return found.get("z", 0.0), found["y"], found["x"]


def place_metadata(image: MicroscopyImage) -> dict[str, Any]:
    """Metadata for tifffile about the place of an image; none where it lies at zero."""
    origin, (z, y, x) = list_origin(image), translation(image)
    if not origin and not any((z, y, x)):
        return {}
    unit = _VOXEL if image.voxel_size is None else _MICROMETRE
    step = 1.0 if image.voxel_size is None else image.voxel_size[0]
    sizes = image.sizes
    channels = 1 if image.rgb else sizes.get("c", 1)
    # In the order of the pages: planes of a stack, stacks of a channel, channels of a time point.
    depths = [z + k * step for k in range(sizes.get("z", 1))] * (channels * sizes.get("t", 1))
    places = {"X": [x] * len(depths), "Y": [y] * len(depths), "Z": depths}
    planes: dict[str, list[Any]] = {f"Position{a}": values for a, values in places.items()}
    planes |= {f"Position{a}Unit": [unit] * len(depths) for a in places}
    note = {letter: str(n) for letter, n in origin.items()} or {"whole": "yes"}
    return {"Plane": planes, "MapAnnotation": {"Namespace": _NAMESPACE, **note}}


def parse_place(image: Element, annotations: Mapping[str, Element]) -> OmePlace:
    """Read the place of an Image element.

    Parameters
    ----------
    image : Element
        The element.
    annotations : mapping
        All annotations of the document by their ID.

    Returns
    -------
    OmePlace
    """
    references = [child.get("ID", "") for child in image if _name(child) == "AnnotationRef"]
    ours = [
        annotations[ID]
        for ID in references
        if ID in annotations and annotations[ID].get("Namespace") == _NAMESPACE
    ]
    plane = next((e for e in image.iter() if _name(e) == "Plane"), None)
    values = {} if plane is None else dict(_positions(plane))
    lengths = {a: n for a, (n, unit) in values.items() if unit == _MICROMETRE}
    voxels = {a: n for a, (n, unit) in values.items() if unit == _VOXEL}
    return OmePlace(lengths, voxels, _origin(ours[0]) if ours else None)


def place_together(
    images: Sequence[MicroscopyImage], places: Sequence[OmePlace]
) -> list[MicroscopyImage]:
    """Put the images of a file at their places.

    Those that we wrote lie where they say. Positions that a stage reported are not put into the
    world, where an image from elsewhere would be far away: they only place the images of one file
    beside each other, from its upper left corner.

    Parameters
    ----------
    images : sequence of MicroscopyImage
        The images.
    places : sequence of OmePlace
        One per image.

    Returns
    -------
    list of MicroscopyImage
    """
    spots = [place.translation(image) for image, place in zip(images, places, strict=True)]
    if all(place.origin is not None for place in places):
        found = zip(images, places, spots, strict=True)
        return [
            place_part(image, place.origin or {}, spot or (0.0, 0.0, 0.0))
            for image, place, spot in found
        ]
    if len(images) < 2 or len({image.voxel_size is None for image in images}) > 1:
        return list(images)
    known = [spot for spot in spots if spot is not None]
    if len(known) < len(images):
        return list(images)
    top, left = (min(spot[i] for spot in known) for i in (1, 2))
    return [
        replace(image, position=(0.0, y - top, x - left))
        for image, (_, y, x) in zip(images, known, strict=True)
    ]


def _positions(plane: Element) -> Iterator[tuple[str, tuple[float, str]]]:
    for letter in "zyx":
        name = f"Position{letter.upper()}"
        try:
            number = float(plane.get(name, ""))
        except ValueError:
            continue
        unit = plane.get(f"{name}Unit", "reference frame")
        factor = micrometres(1.0, unit)
        if abs(number) < float("inf"):
            yield letter, ((number, unit) if factor is None else (number * factor, _MICROMETRE))


def _origin(annotation: Element) -> dict[str, int]:
    pairs = {e.get("K", ""): e.text or "" for e in annotation.iter() if _name(e) == "M"}
    return parse_origin(pairs)


def _name(element: Element) -> str:
    # The namespace holds the schema's year, so only the name behind it counts.
    return str(element.tag).rpartition("}")[2]
