"""Labels linked from plane to plane, or from frame to frame, by their overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows.diffusion import consecutive
from napari_ssp.labels import PairCounts
from napari_ssp.progress import Progress, Steps, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_ssp.flows.stitching import LabelStore

#: Smallest intersection over union of an object with itself in the next plane.
MIN_OVERLAP = 0.25
# Of two daughters the smaller one is at least such a share of the larger; less is a speck.
_SMALLER_DAUGHTER = 1 / 3


def link_labels(frames: Sequence[ArrayLike], min_overlap: float = MIN_OVERLAP) -> NDArray[Any]:
    """Give an object the same id in all consecutive frames where it overlaps itself.

    Parameters
    ----------
    frames : sequence of array_like
        Integer labels (Y, X) of the planes of a stack or of time points, or (Z, Y, X) of time
        points; all of one shape. 0 is background; ids need not be unique over frames.
    min_overlap : float
        Smallest intersection over union, above 0 to 1, of an object in two consecutive frames.

    Returns
    -------
    numpy.ndarray
        Uint32 (frames, ...): ids are 1..n without gaps. Of several candidates the pair that
        overlaps most is linked first, and an object continues in one object at most: after a
        division one daughter keeps the number.

    Raises
    ------
    TypeError
        When labels are not integers.
    ValueError
        When shapes differ, labels are negative or the overlap is out of its range.
    """
    arrays = [consecutive(frame) for frame in frames]
    if len({array.shape for array in arrays}) > 1:
        raise ValueError(
            f"The frames have the shapes {', '.join(sorted({str(a.shape) for a in arrays}))}; "
            "only frames of one shape can be linked."
        )
    if not arrays:
        return np.zeros((0, 0, 0), np.uint32)
    store = _Memory(np.stack(arrays).astype(np.uint32))
    run(link_stored(store, [[(slice(k, k + 1),)] for k in range(len(arrays))], min_overlap))
    return store.labels


def link_stored(
    store: LabelStore,
    frames: Sequence[Sequence[Any]],
    min_overlap: float = MIN_OVERLAP,
    first_id: int = 1,
) -> Steps[int]:
    """Link labels where they are stored, so that they need not fit into memory.

    Parameters
    ----------
    store : LabelStore
        The labels; they are replaced by linked ones.
    frames : sequence of sequence of box
        The boxes that make up each frame, in the same order for all; only one box of two frames is
        in memory at a time.
    min_overlap : float
        As in `link_labels`.
    first_id : int
        Number of the first object; the others follow without gaps.

    Yields
    ------
    Progress
        Stage "linking", once per frame.

    Returns
    -------
    int
        How many objects there are.
    """
    if not 0 < min_overlap <= 1:
        raise ValueError(f"The smallest overlap is {min_overlap}; give a share above 0, at most 1.")
    found = 0
    for k, frame in enumerate(frames):
        yield Progress("linking", k, len(frames))
        overlaps = Overlaps()
        for number, box in enumerate(frame):
            after = store.read(box)
            before = store.read(frames[k - 1][number]) if k else np.zeros_like(after)
            overlaps.add(before, after)
        table = overlaps.links(min_overlap)
        new = overlaps.present & (table == 0)
        table[new] = np.arange(found, found + int(new.sum())) + first_id
        found += int(new.sum())
        for box in frame:
            store.write(box, table[store.read(box)].astype(np.uint32))
    return found


class Overlaps:
    """Pixels that the objects of two frames have in common, gathered box by box."""

    def __init__(self) -> None:
        self._sizes = [np.zeros(1, np.int64), np.zeros(1, np.int64)]
        self._pairs = PairCounts()

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether an id occurs in the second frame; False for background."""
        found = self._sizes[1] > 0
        found[0] = False
        return found

    def add(self, before: NDArray[np.uint32], after: NDArray[np.uint32]) -> None:
        """Take a box of both frames into account."""
        for k, labels in enumerate((before, after)):
            sizes = np.bincount(labels.ravel(), minlength=len(self._sizes[k]))
            sizes[: len(self._sizes[k])] += self._sizes[k]
            self._sizes[k] = sizes
        both = (before > 0) & (after > 0)
        self._pairs.add(before[both], after[both])

    def links(self, min_overlap: float) -> NDArray[np.int64]:
        """Table from ids of the second frame to ids of the first; 0 where there is none."""
        table = np.zeros(len(self._sizes[1]), np.int64)
        before, after, common = self._pairs.table()
        overlap = common / (self._sizes[0][before] + self._sizes[1][after] - common)
        taken = np.zeros(len(self._sizes[0]), np.bool_)
        for k in np.argsort(-overlap, kind="stable"):
            if overlap[k] < min_overlap:
                break
            if table[after[k]] == 0 and not taken[before[k]]:
                table[after[k]] = before[k]
                taken[before[k]] = True
        return table

    def divisions(self, min_overlap: float) -> list[tuple[int, int, int]]:
        """Objects of the first frame that have become two of the second.

        Parameters
        ----------
        min_overlap : float
            Smallest intersection over union of the object with both of them taken together.

        Returns
        -------
        list of (int, int, int)
            Mother and daughters. More than half of a daughter lies on the mother, and neither is
            much smaller than the other; of several the two that overlap most.
        """
        before, after, common = self._pairs.table()
        inside = np.flatnonzero(2 * common > self._sizes[1][after])
        inside = inside[np.lexsort((-common[inside], before[inside]))]
        mothers, firsts, counts = np.unique(before[inside], return_index=True, return_counts=True)
        found = []
        for mother, first in zip(mothers[counts > 1], firsts[counts > 1], strict=True):
            both = inside[first : first + 2]
            sizes, shared = self._sizes[1][after[both]], common[both].sum()
            overlap = shared / (self._sizes[0][mother] + sizes.sum() - shared)
            if overlap >= min_overlap and sizes.min() >= _SMALLER_DAUGHTER * sizes.max():
                found.append((int(mother), int(after[both[0]]), int(after[both[1]])))
        return found


class _Memory:
    """Labels in memory as a store."""

    def __init__(self, labels: NDArray[np.uint32]) -> None:
        self.labels = labels

    def read(self, tile: Any) -> NDArray[np.uint32]:
        block: NDArray[np.uint32] = self.labels[tile]
        return block

    def write(self, tile: Any, block: NDArray[np.uint32]) -> None:
        self.labels[tile] = block
