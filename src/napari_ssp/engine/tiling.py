"""Positions of the windows of an array: integers only, no pixels."""

from __future__ import annotations

from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Shape = tuple[int, ...]
Tile = tuple[slice, ...]
#: Slices of step 1 and positions; axes at the end may be left out.
Index = tuple[slice | int, ...]

#: Memory is not saved by windows below this length, and networks halve a window five times.
SMALLEST_WINDOW = 64
WINDOW_MULTIPLE = 32


def tile_starts(length: int, window: int, overlap: float) -> list[int]:
    """First pixels of the windows along one axis; the last window ends flush with the axis.

    Parameters
    ----------
    length, window : int
        Pixels of the axis and of a window. An axis shorter than a window has one window, at 0.
    overlap : float
        Share of a window that it has in common with the next one, from 0 to below 1.

    Returns
    -------
    list of int

    Raises
    ------
    ValueError
        If a length is not positive or the overlap is out of range.

    Notes
    -----
    Same places as MONAI's ``sliding_window_inference``: steps of ``int(window * (1 - overlap))``.
    """
    if length < 1 or window < 1:
        raise ValueError(
            f"The axis is {length} long and the window {window}; both must be positive."
        )
    if not 0 <= overlap < 1:
        raise ValueError(f"The overlap is {overlap}; give a share from 0 to below 1.")
    last = max(length - window, 0)
    step = max(int(window * (1 - overlap)), 1)
    return [*range(0, last, step), last]


def count_tiles(shape: Shape, window: Shape, overlap: float) -> int:
    """Count the windows of an array; axes shorter than a window are padded to it."""
    return prod(len(tile_starts(n, w, overlap)) for n, w in zip(shape, window, strict=True))


def smaller_window(window: Shape) -> Shape | None:
    """Halve every axis that stays at 64 or more, in multiples of 32; None when no axis does."""
    halves = [n // 2 // WINDOW_MULTIPLE * WINDOW_MULTIPLE for n in window]
    halved = tuple(h if h >= SMALLEST_WINDOW else n for h, n in zip(halves, window, strict=True))
    return None if halved == window else halved


def compute_resized_shape(shape: Shape, factors: tuple[float, ...]) -> Shape:
    """Lengths after resampling by factors, at least 1 each."""
    return tuple(max(1, round(n * f)) for n, f in zip(shape, factors, strict=True))


def compute_zoomed_shape(shape: Shape, zoom: float) -> Shape:
    """Lengths after magnification, at least 1 each."""
    return compute_resized_shape(shape, (zoom,) * len(shape))


def grow_window(shape: Shape, window: Shape, largest: Shape, overlap: float) -> Shape:
    """Window between two sizes with which the fewest pixels are computed.

    Parameters
    ----------
    shape : tuple of int
        Lengths of the array.
    window, largest : tuple of int
        Lengths of the smallest window and of the largest.
    overlap : float
        Share of a window that it has in common with the next one.

    Returns
    -------
    tuple of int
        The smallest lengths plus multiples of 32; of several as good ones the largest, in which a
        network sees most around its objects.
    """

    def cost(n: int, w: int) -> tuple[int, int]:
        return w * len(tile_starts(n, w, overlap)), -w

    return tuple(
        min(range(least, max(least, most) + 1, WINDOW_MULTIPLE), key=partial(cost, n))
        for n, least, most in zip(shape, window, largest, strict=True)
    )


def choose_window(shape: Shape, window: Shape, multiple: int) -> Shape:
    """Largest useful window: no axis longer than the volume needs, all multiples of a number."""
    return tuple(min(w, -(-n // multiple) * multiple) for n, w in zip(shape, window, strict=True))


def add_margin(shape: Shape, margin: int) -> Shape:
    """Lengths (z, y, x) of a volume with a margin on each side along y and x."""
    depth, height, width = shape
    return depth, height + 2 * margin, width + 2 * margin


def pieces(index: Index, shape: Shape, most: int) -> Iterator[tuple[Index, Tile]]:
    """Cut a part of an array into pieces that each span few of its values, as they are stored.

    Parameters
    ----------
    index : tuple of slice or int
        The part.
    shape : tuple of int
        Lengths of the array, whose last axis runs fastest.
    most : int
        Values from the first to the last one of a piece, unless one row has more.

    Yields
    ------
    piece : tuple of slice or int
        Its place in the array.
    inside : tuple of slice
        Its place in the part.
    """
    axes: list[list[tuple[slice | int, slice | None]]] = []
    for axis, length in enumerate(shape):
        part = index[axis] if axis < len(index) else slice(None)
        span = prod(shape[axis + 1 :])
        if not isinstance(part, slice):
            axes.append([(part, None)])
            continue
        start, stop, _ = part.indices(length)
        # Where one step spans too much, the axes after it are cut, too; else they stay whole.
        step = max(1, most // span)
        axes.append(
            [
                (slice(a, min(a + step, stop)), slice(a - start, min(a + step, stop) - start))
                for a in range(start, stop, step)
            ]
        )
    for chosen in product(*axes):
        yield (
            tuple(place for place, _ in chosen),
            tuple(inside for _, inside in chosen if inside is not None),
        )
