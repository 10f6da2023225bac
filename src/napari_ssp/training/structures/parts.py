"""A part of the pairs is held out for validation: whole stacks of many, strips of few."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_ssp.training.holdout import GAP, WHOLE_FROM, choose_holdout, place_holdout_strip
from napari_ssp.training.scored_parts import divide_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_ssp.engine.volume import Read
    from napari_ssp.training.data import ScoredArray, StructurePair
    from napari_ssp.training.scored_parts import Part


@dataclass(frozen=True)
class PartReader:
    """Reads from a part of an array as if it were the whole.

    Attributes
    ----------
    read : callable
        Reads the whole array.
    starts, shape : tuple of int
        First place and length of the part along each axis.
    """

    read: Read
    starts: tuple[int, ...]
    shape: tuple[int, ...]

    def __call__(self, box: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box of the part."""
        spans = [part.indices(n)[:2] for part, n in zip(box, self.shape, strict=True)]
        moved = zip(spans, self.starts, strict=True)
        return self.read(tuple(slice(first + s, last + s) for (first, last), s in moved))


def set_aside(
    pairs: Sequence[StructurePair],
) -> tuple[list[StructurePair], list[StructurePair]]:
    """Divide pairs into those to learn from and those to score.

    Of a structure with four stacks and more a fifth is held out, evenly over their order; of fewer
    a strip of each at one side, with a gap that no crop reaches across. Stacks too narrow for a
    strip are learned from as a whole.

    Returns
    -------
    tuple of list of StructurePair
        Training and validation; the latter is empty when nothing could be held out.
    """
    by_task: dict[int, list[StructurePair]] = defaultdict(list)
    for pair in pairs:
        by_task[pair.task].append(pair)
    training: list[StructurePair] = []
    validation: list[StructurePair] = []
    for group in by_task.values():
        for learned, scored in _divided(group):
            training += learned
            validation += scored
    return training, validation


_Division = tuple[list["StructurePair"], list["StructurePair"]]


def _divided(group: Sequence[StructurePair]) -> Iterator[_Division]:
    if len(group) < WHOLE_FROM:
        yield from (_strip(pair) for pair in group)
        return
    chosen = choose_holdout(len(group))
    for k, pair in enumerate(group):
        yield ([], [pair]) if k in chosen else ([pair], [])


def _strip(pair: StructurePair) -> _Division:
    axis = 1 if pair.signal.shape[1] >= pair.signal.shape[2] else 2
    strip = place_holdout_strip(pair.signal.shape[axis])
    if strip is None:
        return [pair], []
    start, width = strip
    whole = [slice(0, n) for n in pair.signal.shape]
    before, strip_of = list(whole), list(whole)
    before[axis], strip_of[axis] = slice(0, start - GAP), slice(start, start + width)
    return [cut_pair(pair, tuple(before))], [cut_pair(pair, tuple(strip_of))]


def divide_pair(pair: StructurePair) -> list[Part]:
    """Parts of a pair whose stack is large; else none."""
    return divide_stack(pair.signal.shape, pair.is_projected)


def cut_pair(pair: StructurePair, part: Part) -> StructurePair:
    """Cut the same part out of signal and target."""
    target = part[-len(pair.target.shape) :]
    return replace(pair, signal=_cut(pair.signal, part), target=_cut(pair.target, target))


def _cut(array: ScoredArray, part: Part) -> ScoredArray:
    starts = tuple(span.start for span in part)
    shape = tuple(span.stop - span.start for span in part)
    return replace(array, read_raw=PartReader(array.read_raw, starts, shape), shape=shape)
