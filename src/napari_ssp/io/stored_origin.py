"""The origin of a part of an image, as files keep it: by the letters of the full image's axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.place import PLACES, is_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.image import MicroscopyImage

# No image is longer, and a longer number would be no pixel but an attack.
_LARGEST = 2**40


def list_origin(image: MicroscopyImage) -> dict[str, int]:
    """Origin of an image that is a part of another one; empty where it is a whole.

    Parameters
    ----------
    image : MicroscopyImage
        The image.

    Returns
    -------
    dict
        Position by letter: that of each axis that the full image has.
    """
    firsts = dict(zip(PLACES, image.origin, strict=True))
    axes = set(image.axes) | set(image.full_axes)
    return {a: n for a, n in firsts.items() if n or a in axes} if is_part(image) else {}


def parse_origin(stored: Any) -> dict[str, int]:
    """Read what `list_origin` gave; anything else is empty."""
    if not isinstance(stored, Mapping) or not set(stored) <= set(PLACES):
        return {}
    found = {str(letter): _whole(n) for letter, n in stored.items()}
    return {a: n for a, n in found.items() if n is not None} if None not in found.values() else {}


def place_part(
    image: MicroscopyImage, origin: Mapping[str, int], translation: Sequence[float]
) -> MicroscopyImage:
    """Put an image that was read at its place.

    Parameters
    ----------
    image : MicroscopyImage
        The image.
    origin : mapping
        As `parse_origin` gives it.
    translation : three floats
        Where its first voxel lies along z, y and x: µm, or voxels without a voxel size.

    Returns
    -------
    MicroscopyImage
    """
    t, z, y, x = (origin.get(a, 0) for a in PLACES)
    steps = image.voxel_size or (1.0, 1.0, 1.0)
    found = zip(translation, (z, y, x), steps, strict=True)
    depth, top, left = (start - first * step for start, first, step in found)
    position, axes = (depth, top, left), "".join(origin)
    return replace(image, origin=(t, z, y, x), position=position, full_axes=axes)


def _whole(number: Any) -> int | None:
    if isinstance(number, str) and number.isdecimal() and len(number) < len(str(_LARGEST)):
        number = int(number)
    is_whole = isinstance(number, int) and not isinstance(number, bool)
    return number if is_whole and 0 <= number < _LARGEST else None
