"""The published division of the transmitted-light collection into train, val and test.

Rows of a dataset are shuffled by a generator that starts at 42: three quarters train, one quarter
tests. What trains is shuffled again by a new generator: nine tenths train, one tenth validates. DNA
was stained in every dataset, so its rows are drawn from the files of each split of all the others,
and no file is in two splits.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Item = TypeVar("Item")

SEED = 42
TRAIN_SHARE = 0.75
VALIDATION_SHARE = 0.1
#: Most rows of the dataset that is drawn from the others' files, per split.
SHARED_ROWS = {"train": 54, "val": 6, "test": 20}


@dataclass(frozen=True)
class StackRow:
    """One row of a dataset's table.

    Attributes
    ----------
    path : str
        File of the stack, as the table names it.
    signal, target : int
        Channels of transmitted light and of the structure, from 0.
    """

    path: str
    signal: int
    target: int


Splits = dict[str, list[StackRow]]


def split_collection(
    datasets: Mapping[str, Sequence[StackRow]], shared: str = "dna", seed: int = SEED
) -> dict[str, Splits]:
    """Divide all datasets as the paper did.

    Parameters
    ----------
    datasets : mapping of str to sequence of StackRow
        Rows of each table, in its order.
    shared : str
        The dataset whose structure was measured in the files of all others. It is drawn from their
        splits; where it is the only one, it is divided as any other.
    seed : int
        Start of the random numbers.

    Returns
    -------
    dict of str to dict of str to list of StackRow
        By dataset, sorted, then by "train", "val" and "test", in the published order.
    """
    own = [name for name in sorted(datasets) if name != shared or len(datasets) == 1]
    divided = {name: split_dataset(datasets[name], seed) for name in own}
    if shared in datasets and shared not in divided:
        divided[shared] = {
            split: _drawn(
                [row for name in own for row in divided[name][split]],
                datasets[shared],
                number,
                seed,
            )
            for split, number in SHARED_ROWS.items()
        }
    return {name: divided[name] for name in sorted(divided)}


def split_dataset(rows: Sequence[StackRow], seed: int = SEED) -> Splits:
    """Divide one dataset: 54, 6 and 20 of 80 rows."""
    mixed = _shuffled(rows, np.random.RandomState(seed))
    count = round(len(mixed) * TRAIN_SHARE)
    learning = _shuffled(mixed[:count], np.random.RandomState(seed))
    kept = round(len(learning) * (1 - VALIDATION_SHARE))
    return {"train": learning[:kept], "val": learning[kept:], "test": mixed[count:]}


def _drawn(
    files: Sequence[StackRow], rows: Sequence[StackRow], number: int, seed: int
) -> list[StackRow]:
    """Rows of randomly chosen files, at most ``number`` files."""
    by_path: defaultdict[str, list[StackRow]] = defaultdict(list)
    for row in rows:
        by_path[row.path].append(row)
    random = np.random.RandomState(seed)
    # The original shuffles twice with one generator.
    mixed = _shuffled(_shuffled(files, random), random)
    chosen = [row.path for row in mixed if row.path in by_path][:number]
    return [row for path in chosen for row in by_path[path]]


def _shuffled(items: Sequence[Item], random: np.random.RandomState) -> list[Item]:
    return [items[k] for k in random.permutation(len(items))]
