"""The published splits: sizes, order, and that no file is in two of them."""

from __future__ import annotations

import numpy as np
import pandas
import pytest

from napari_ssp.datasets.splits import StackRow, split_collection, split_dataset

NAMES = (
    "alpha_tubulin",
    "beta_actin",
    "desmoplakin",
    "fibrillarin",
    "lamin_b1",
    "membrane_caax_63x",
    "myosin_iib",
    "sec61_beta",
    "st6gal1",
    "tom20",
    "zo1",
)


def collection() -> dict[str, list[StackRow]]:
    """The published sizes, with names of our own."""
    rows = {
        name: [
            StackRow(f"data/{name}/{k:03d}.czi", 6, 3)
            for k in range(51 if name == "membrane_caax_63x" else 80)
        ]
        for name in NAMES
    }
    # The caax lines have no DNA channel.
    with_dna = [row for name in NAMES if name != "membrane_caax_63x" for row in rows[name]]
    return rows | {"dna": [StackRow(row.path, 6, 5) for row in with_dna]}


def test_published_sizes() -> None:
    splits = split_collection(collection())
    assert list(splits) == sorted([*NAMES, "dna"])
    sizes = {name: tuple(len(rows) for rows in parts.values()) for name, parts in splits.items()}
    assert sizes.pop("membrane_caax_63x") == (34, 4, 13)
    assert set(sizes.values()) == {(54, 6, 20)}
    totals = {s: sum(len(parts[s]) for parts in splits.values()) for s in ("train", "val", "test")}
    assert totals == {"train": 628, "val": 70, "test": 233}


def test_no_file_is_in_two_splits() -> None:
    splits = split_collection(collection())
    files = {
        s: {row.path for parts in splits.values() for row in parts[s]}
        for s in ("train", "val", "test")
    }
    assert not files["train"] & files["val"]
    assert not files["train"] & files["test"]
    assert not files["val"] & files["test"]
    assert all(row.target == 5 for rows in splits["dna"].values() for row in rows)
    assert len({row.path for row in splits["dna"]["train"]}) == 54


def test_the_order_is_that_of_pandas() -> None:
    """The original shuffles tables with DataFrame.sample."""
    rows = collection()
    table = pandas.DataFrame({"path": [row.path for row in rows["tom20"]]})
    mixed = table.sample(frac=1.0, random_state=np.random.RandomState(42)).reset_index(drop=True)
    learning = mixed[:60].sample(frac=1.0, random_state=np.random.RandomState(42))
    found = split_dataset(rows["tom20"])
    assert [row.path for row in found["test"]] == list(mixed["path"][60:])
    assert [row.path for row in found["train"]] == list(learning["path"][:54])
    assert [row.path for row in found["val"]] == list(learning["path"][54:])


def test_dna_is_drawn_as_the_original_does() -> None:
    rows = collection()
    splits = split_collection(rows)
    paths = [row.path for name in NAMES for row in splits[name]["val"]]
    random = np.random.RandomState(42)
    mixed = pandas.Series(paths).sample(frac=1.0, random_state=random).tolist()
    order = np.arange(len(mixed))
    random.shuffle(order)
    known = {row.path for row in rows["dna"]}
    expected = [mixed[k] for k in order if mixed[k] in known][:6]
    assert [row.path for row in splits["dna"]["val"]] == expected


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 13])
def test_every_row_of_a_small_dataset_is_used_once(count: int) -> None:
    rows = [StackRow(f"{k:02d}.czi", 0, 1) for k in range(count)]
    parts = split_dataset(rows)
    assert sorted(row.path for rows in parts.values() for row in rows) == [r.path for r in rows]


def test_the_shared_dataset_alone_is_divided_as_any_other() -> None:
    rows = [StackRow(f"{k}.czi", 0, 1) for k in range(80)]
    assert split_collection({"dna": rows})["dna"] == split_dataset(rows)
