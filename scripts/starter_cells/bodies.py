"""Bodies of drawn cells: rods, filaments, worms, discs and buds, alone or grown into colonies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    Propose = Callable[["Body"], "Body"]

#: Largest share of a body that may lie under those that are there already.
_HIDDEN = 0.06


@dataclass(frozen=True, eq=False)
class Body:
    """A line with a thickness.

    Attributes
    ----------
    line : numpy.ndarray
        Float64 (N, 2): its points (y, x), in pixels; about one for each two pixels.
    radii : numpy.ndarray
        Float64 (N,): half the thickness at each point, in pixels.
    """

    line: Points
    radii: NDArray[np.float64]

    @property
    def direction(self) -> float:
        """From the first to the last point, in radians."""
        dy, dx = self.line[-1] - self.line[0]
        return float(np.arctan2(dy, dx))

    def moved(self, by: NDArray[np.float64], turned: float = 0.0) -> Body:
        """Turn a body about its middle point, in radians, and move it."""
        middle = self.line[len(self.line) // 2]
        sin, cos = np.sin(turned), np.cos(turned)
        turn = np.array([[cos, sin], [-sin, cos]])
        return replace(self, line=(self.line - middle) @ turn.T + middle + by)


def rod(
    rng: Generator, middle: Points, length: float, width: float, bend: float, taper: float = 0.0
) -> Body:
    """Draw a rod with round ends.

    Parameters
    ----------
    rng : numpy.random.Generator
        Of its direction and its curves.
    middle : numpy.ndarray
        Where its middle lies, (y, x).
    length, width : float
        Of the whole, in pixels; with a length of its width it is a disc.
    bend : float
        How much its direction changes over its length, in radians.
    taper : float
        How much thinner its ends are, from 0 to 1.
    """
    count = max(2, round((length - width) / 2))
    along = np.linspace(-1, 1, count)
    curves = rng.normal(0, bend / 2, 2)
    angle = rng.uniform(0, 2 * np.pi) + curves[0] * along + curves[1] * np.sin(np.pi * along)
    step = max(0.01, length - width) / (count - 1)
    line = np.cumsum(step * np.stack([np.sin(angle), np.cos(angle)], axis=1), axis=0)
    radii = width / 2 * (1 - taper * np.abs(along) ** 3)
    return Body(line - line.mean(axis=0) + middle, radii)


def mask_of(body: Body) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Box of a body, which may reach beyond the picture, and which of its pixels it covers."""
    largest = body.radii.max() + 1
    low = np.floor(body.line.min(axis=0) - largest).astype(int)
    high = np.ceil(body.line.max(axis=0) + largest).astype(int) + 1
    y, x = np.mgrid[low[0] : high[0], low[1] : high[1]]
    covered = np.zeros(y.shape, bool)
    for (point_y, point_x), radius in zip(body.line, body.radii, strict=True):
        covered |= (y - point_y) ** 2 + (x - point_x) ** 2 <= radius**2
    return (slice(low[0], high[0]), slice(low[1], high[1])), covered


class Dish:
    """Labels of the bodies that lie in a picture.

    Parameters
    ----------
    side : int
        Of the picture, in pixels.
    gap : int
        Pixels that stay free between two bodies.
    """

    def __init__(self, side: int, gap: int) -> None:
        self.labels = np.zeros((side, side), np.int32)
        self.bodies: list[Body] = []
        self._gap = gap

    def put(self, body: Body, hidden: float = _HIDDEN) -> bool:
        """Put a body under those that are there, unless too much of it would be hidden."""
        (rows, columns), covered = mask_of(body)
        side = len(self.labels)
        inside = (
            slice(max(0, rows.start), min(side, rows.stop)),
            slice(max(0, columns.start), min(side, columns.stop)),
        )
        if inside[0].start >= inside[0].stop or inside[1].start >= inside[1].stop:
            return False
        covered = covered[
            inside[0].start - rows.start : inside[0].stop - rows.start,
            inside[1].start - columns.start : inside[1].stop - columns.start,
        ]
        there = self.labels[inside] > 0
        if self._gap:
            there = ndimage.binary_dilation(there, iterations=self._gap)
        free = covered & ~there
        if covered.sum() < 12 or free.sum() < (1 - hidden) * covered.sum():
            return False
        pieces, count = ndimage.label(free)
        if count > 1:
            free = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
        self.bodies.append(body)
        self.labels[inside][free] = len(self.bodies)
        return True


def scatter(dish: Dish, make: Callable[[], Body], tries: int, hidden: float = _HIDDEN) -> None:
    """Put bodies anywhere, as many of the tries as there is room for."""
    for _ in range(tries):
        dish.put(make(), hidden)


def grow(dish: Dish, rng: Generator, propose: Propose, count: int) -> None:
    """Let colonies grow from the bodies that are there: each new one lies beside another."""
    wanted, tries = len(dish.bodies) + count, 12 * count
    while dish.bodies and len(dish.bodies) < wanted and tries:
        tries -= 1
        dish.put(propose(dish.bodies[rng.integers(len(dish.bodies))]))


def beside(rng: Generator, body: Body, gap: float, spread: float, change: float) -> Body:
    """Lay a copy of a body alongside or at its end, a little turned and of another length."""
    width, length = 2 * body.radii.max(), len(body.line) * 2
    along = np.array([np.sin(body.direction), np.cos(body.direction)])
    across = np.array([along[1], -along[0]]) * rng.choice([-1, 1])
    if rng.random() < 0.65:
        by = across * (width + gap) + along * rng.uniform(-0.5, 0.5) * length
    else:
        by = along * rng.choice([-1, 1]) * (length + width + gap) + across * rng.normal(0, 1)
    kept = max(2, round(len(body.line) * min(1.0, rng.uniform(1 - change, 1 + change))))
    start = rng.integers(len(body.line) - kept + 1)
    cut = Body(body.line[start : start + kept], body.radii[start : start + kept])
    return cut.moved(by, rng.normal(0, spread))
