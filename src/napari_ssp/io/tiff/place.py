"""The place of an image in OME-XML: positions of planes, and our annotation with the origin."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_ssp.io.calibration import micrometres
from napari_ssp.io.stored_origin import list_origin, parse_origin, place_part
from napari_ssp.io.xml import children, local_name
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

    def translation(self, measured: bool) -> tuple[float, float, float] | None:
        """Place along z, y and x, in µm of a measured image; None where y or x is not given so."""
        found = self.lengths if measured else self.voxels
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
    references = [child.get("ID", "") for child in children(image, "AnnotationRef")]
    ours = [
        annotations[ID]
        for ID in references
        if ID in annotations and annotations[ID].get("Namespace") == _NAMESPACE
    ]
    plane = next((e for e in image.iter() if local_name(e) == "Plane"), None)
    values = {} if plane is None else dict(_positions(plane))
    lengths = {a: n for a, (n, unit) in values.items() if unit == _MICROMETRE}
    voxels = {a: n for a, (n, unit) in values.items() if unit == _VOXEL}
    return OmePlace(lengths, voxels, _origin(ours[0]) if ours else None)


def find_corner(places: Sequence[OmePlace], measured: Sequence[bool]) -> tuple[float, float] | None:
    """Find the upper left corner of the images of a file, from the positions of its stage.

    Parameters
    ----------
    places : sequence of OmePlace
        Of all its images.
    measured : sequence of bool
        Whether each has a voxel size.

    Returns
    -------
    tuple of float or None
        Along y and x; None where we wrote the file, or nothing puts its images beside each other.
    """
    ours = all(place.origin is not None for place in places)
    if ours or len(places) < 2 or len(set(measured)) > 1:
        return None
    spots = [place.translation(known) for place, known in zip(places, measured, strict=True)]
    if any(spot is None for spot in spots):
        return None
    top, left = (min(spot[i] for spot in spots if spot is not None) for i in (1, 2))
    return top, left


def place_image(
    image: MicroscopyImage, place: OmePlace, corner: tuple[float, float] | None
) -> MicroscopyImage:
    """Put an image of a file at its place.

    One that we wrote lies where it says. A position that a stage reported is not put into the
    world, where an image from elsewhere would be far away: it only places the image beside the
    others of its file, from their upper left corner.

    Parameters
    ----------
    image : MicroscopyImage
        The image.
    place : OmePlace
        Where it lies.
    corner : tuple of float or None
        As of `find_corner`.

    Returns
    -------
    MicroscopyImage
    """
    spot = place.translation(image.voxel_size is not None)
    if corner is not None and spot is not None:
        top, left = corner
        return replace(image, position=(0.0, spot[1] - top, spot[2] - left))
    if place.origin is not None:
        return place_part(image, place.origin, spot or (0.0, 0.0, 0.0))
    return image


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
    pairs = {e.get("K", ""): e.text or "" for e in annotation.iter() if local_name(e) == "M"}
    return parse_origin(pairs)
