"""Parts of large validation images, so that no single look takes the time of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

Image = TypeVar("Image")
#: One slice for each axis of an image.
Part = tuple[slice, ...]
#: Side of a part of a labelled image, in pixels that the network sees: that of a window.
PLANE_SIDE = 1024
#: Lengths, along z, y and x, of a part of a stack.
STACK_SIDES = (64, 256, 256)


class ImageParts(Sequence[Image]):
    """Images of which the large ones are cut when they are asked for.

    Parameters
    ----------
    images : sequence
        Whole ones.
    places : sequence of tuple
        Number of an image, and which part of it; None is the whole.
    cut : callable
        Cuts a part out of an image.
    """

    def __init__(
        self,
        images: Sequence[Image],
        places: Sequence[tuple[int, Part | None]],
        cut: Callable[[Image, Part], Image],
    ) -> None:
        self._images = images
        self._places = places
        self._cut = cut

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        """Cut the part of a number."""
        number, part = self._places[index]
        image = self._images[number]
        return image if part is None else self._cut(image, part)


def in_parts(
    images: Sequence[Image],
    divide: Callable[[Image], Sequence[Part]],
    cut: Callable[[Image, Part], Image],
) -> Sequence[Image]:
    """Images with the large ones in parts; themselves where none is large.

    Parameters
    ----------
    images : sequence
        Whole ones.
    divide : callable
        Parts of an image; none of one that is not large.
    cut : callable
        Cuts a part out of an image.
    """
    divided = [divide(image) for image in images]
    if not any(divided):
        return images
    places: list[tuple[int, Part | None]] = []
    for number, parts in enumerate(divided):
        places += [(number, part) for part in parts or (None,)]
    return ImageParts(images, places, cut)


def divide_plane(shape: Sequence[int], zoom: float) -> list[Part]:
    """Parts of a labelled image, (Y, X), that is large at some magnification; else none."""
    side = max(1, round(PLANE_SIDE / zoom))
    return place_parts(shape, (side, side))


def divide_stack(shape: Sequence[int], is_projected: bool = False) -> list[Part]:
    """Parts of a large stack, (Z, Y, X), with all its planes where its target is a projection."""
    depth = shape[0] if is_projected else STACK_SIDES[0]
    return place_parts(shape, (depth, *STACK_SIDES[1:]))


def place_parts(shape: Sequence[int], sides: Sequence[int]) -> list[Part]:
    """Divide an image evenly; none where it is shorter than 1.5 sides along all axes.

    Parameters
    ----------
    shape : sequence of int
        Lengths of the image.
    sides : sequence of int
        Lengths that the parts are to have, about.
    """
    parts = list(product(*map(_along, shape, sides)))
    return parts if len(parts) > 1 else []


def _along(length: int, side: int) -> Iterator[slice]:
    count = max(1, round(length / side))
    edges = [length * k // count for k in range(count + 1)]
    return (slice(*edge) for edge in pairwise(edges))
