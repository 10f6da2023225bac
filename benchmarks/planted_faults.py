"""Twenty faults planted into true labels, five of each kind, and how well they were mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

EACH = 5
Point = tuple[int, int]


class Fault(NamedTuple):
    """A fault.

    Attributes
    ----------
    kind : str
        "missed", "merged", "split" or "extra".
    cells : tuple of int
        Numbers of the true cells that it is in; none of an object that is no cell.
    points : tuple of (int, int)
        y and x of what is clicked: the middle of a cell, a line along a border, a point in each
        part.
    """

    kind: str
    cells: tuple[int, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, eq=False)
class Planted:
    """True labels, the same with faults, and where these are."""

    truth: Any
    labels: Any
    faults: tuple[Fault, ...]

    def describe(self, labels: Any) -> str:
        """Say how good labels are, and how well they show the cells that faults are in."""
        from napari_ssp.metrics import f1_score

        overlaps = []
        for number in (number for fault in self.faults for number in fault.cells):
            cell = self.truth == number
            best = labels == np.bincount(labels[cell]).argmax()
            overlaps.append((cell & best).sum() / (cell | best).sum())
        f1 = f1_score(self.truth, labels)
        return f"F1 {f1:.4f}; IoU of the {len(overlaps)} cells at fault {np.mean(overlaps):.3f}"


def plant(truth: Any) -> Planted:
    """Plant faults into labels (Y, X) of many round cells."""
    labels, side = truth.copy(), len(truth)
    pairs = _touching(truth)[:EACH]
    used = {number for pair in pairs for number in pair}
    free = [cell for cell in cells_of(truth) if cell[0] not in used]
    faults = []
    for number, middle in free[:EACH]:
        labels[truth == number] = 0
        faults.append(Fault("missed", (number,), (middle,)))
    for one, other in pairs:
        labels[truth == other] = one
        faults.append(Fault("merged", (one, other), _border(truth, one, other)))
    for k, (number, (y, x)) in enumerate(free[EACH : 2 * EACH], 1):
        labels[(truth == number) & (np.arange(side) > x)] = truth.max() + k
        faults.append(Fault("split", (number,), ((y, x - 4), (y, x + 4))))
    for k, (y, x) in enumerate(_empty_places(truth)[:EACH], EACH + 1):
        part = labels[y - 3 : y + 4, x - 3 : x + 4]
        part[part == 0] = truth.max() + k
        faults.append(Fault("extra", (), ((y, x),)))
    return Planted(truth, labels, tuple(faults))


def cells_of(truth: Any) -> list[tuple[int, Point]]:
    """Cells whose middle is their own, in any order: number, and middle (y, x)."""
    from scipy import ndimage

    numbers = np.random.default_rng(0).permutation(np.unique(truth)[1:])
    middles = np.round(ndimage.center_of_mass(truth > 0, truth, numbers)).astype(int)
    found = zip(numbers.tolist(), map(tuple, middles.tolist()), strict=True)
    return [(number, middle) for number, middle in found if truth[middle] == number]


def _touching(truth: Any) -> list[tuple[int, int]]:
    """Pairs of cells that touch along ten pixels of a column at least, each cell once."""
    left, right = truth[:, :-1], truth[:, 1:]
    is_border = (left != right) & (left > 0) & (right > 0)
    pairs, counts = np.unique(
        np.stack([left[is_border], right[is_border]], axis=1), axis=0, return_counts=True
    )
    found, used = [], set[int]()
    for one, other in pairs[counts >= 10].tolist():
        if not used & {one, other}:
            found.append((one, other))
            used |= {one, other}
    return found


def _border(truth: Any, one: int, other: int) -> tuple[Point, Point]:
    """Line along the border of two cells, from above it to below it, as a hand draws it."""
    y, x = np.nonzero((truth[:, :-1] == one) & (truth[:, 1:] == other))
    top, bottom = y.argmin(), y.argmax()
    return (int(y[top]) - 2, int(x[top]) + 1), (int(y[bottom]) + 2, int(x[bottom]) - 1)


def _empty_places(truth: Any) -> list[Point]:
    """Places in the background, far from each other."""
    from scipy import ndimage

    is_empty = ndimage.distance_transform_edt(truth == 0) > 4
    is_empty[:5] = is_empty[-5:] = is_empty[:, :5] = is_empty[:, -5:] = False
    y, x = np.nonzero(is_empty)
    return [(int(y[k]), int(x[k])) for k in np.random.default_rng(1).permutation(len(y))]
