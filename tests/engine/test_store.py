from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.engine.store import ArrayStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("limit", [0, 10_000])
def test_blocks_come_back_as_written(limit: int) -> None:
    store = ArrayStore((3, 4, 5), np.uint16, limit)
    assert store.on_disk == (limit == 0)
    expected = np.zeros((3, 4, 5), np.uint16)
    for box in [np.s_[0:2, 1:3, 0:5], np.s_[1:3, 0:2, 2:4]]:
        block = np.random.default_rng(1).integers(0, 9, expected[box].shape)
        store.write(box, block)
        expected[box] = block
    np.testing.assert_array_equal(store.array(), expected)
    np.testing.assert_array_equal(store.read(np.s_[1:3, 0:4, 1:2]), expected[1:3, :, 1:2])


def test_a_block_that_was_read_is_a_copy() -> None:
    store = ArrayStore((2, 2))
    store.read(np.s_[0:1, 0:2])[:] = 7
    assert not store.array().any()


def test_the_file_lives_as_long_as_a_view_of_the_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = ArrayStore((2, 50), limit=0)
    store.write(np.s_[1:2, :], np.arange(50)[None])
    view = store.array()[1]
    del store
    gc.collect()
    assert list(tmp_path.iterdir())
    np.testing.assert_array_equal(view, np.arange(50))
    del view
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_a_store_that_is_given_up_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = ArrayStore((10, 10), limit=0)
    assert list(tmp_path.iterdir())
    del store
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_too_little_room_is_said_with_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OSError, match=r"needs .* GiB, but the temporary folder .* TMPDIR"):
        ArrayStore((1 << 20, 1 << 20, 1 << 10))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("limit", [0, 10_000])
def test_blocks_are_added_to_what_is_there(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_ssp.engine.store._MAPPED", 24)
    store, expected = ArrayStore((3, 4, 5), np.float32, limit), np.zeros((3, 4, 5), np.float32)
    for box in [np.s_[0:3, 1:4, 0:5], np.s_[1:2, 0:2, 2:4], np.s_[1, :, 1:3], (slice(0, 2),)]:
        block = np.random.default_rng(1).random(expected[box].shape, np.float32)
        store.add(box, block)
        expected[box] += block
        np.testing.assert_array_equal(store.read(box), expected[box])
    np.testing.assert_array_equal(store.array(), expected)
