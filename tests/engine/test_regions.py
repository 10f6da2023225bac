"""Blocks that show more than noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp.engine.normalise import GreyStatistics
from napari_ssp.engine.regions import BlockStatistics, ShownStatistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def _noise(shape: tuple[int, ...] = (640, 640)) -> NDArray[Any]:
    return np.random.default_rng(0).poisson(60, shape).astype(np.uint16)


def _disk(plane: NDArray[Any], y: int, x: int, radius: int, value: float) -> None:
    """Add a disk to a plane."""
    rows, columns = np.ogrid[: plane.shape[0], : plane.shape[1]]
    plane[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] += plane.dtype.type(value)


def _few() -> NDArray[Any]:
    plane = _noise()
    _disk(plane, 100, 100, 12, 300)
    _disk(plane, 135, 150, 12, 300)
    return plane


def _range(plane: NDArray[Any]) -> tuple[float, bool]:
    """Upper end of what is shown, and whether that is little."""
    whole, blocks = GreyStatistics(plane.size), BlockStatistics()
    whole.add(plane)
    blocks.add(plane)
    shown = ShownStatistics(blocks, plane.size)
    shown.add(plane, 0)
    grey, is_little = shown.result(whole.result())
    return grey.high, is_little


def _is_sparse(plane: NDArray[Any]) -> bool:
    return _range(plane)[1]


@pytest.mark.parametrize(
    "convert",
    [
        lambda plane: plane,
        lambda plane: (plane // 2).astype(np.uint8),
        lambda plane: plane.astype(np.float32) / 4096 - 1,
        lambda plane: plane.astype(np.float64) * 1e20,
        lambda plane: np.where(np.arange(640) < 20, np.nan, plane),
        lambda plane: np.stack([plane] * 3, axis=-1),
    ],
    ids=["uint16", "uint8", "float32", "huge", "nan", "rgb"],
)
def test_few_cells_are_seen_as_few(convert: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    assert _is_sparse(convert(_few()))
    assert not _is_sparse(convert(_noise()))


def test_what_is_shown_are_blocks_with_cells() -> None:
    plane = _few()
    blocks = BlockStatistics()
    blocks.add(plane)
    shown = blocks.shown(plane, 0)
    blocks_with_cells = np.argwhere(shown.reshape(10, 64, 10, 64).any(axis=(1, 3)))
    assert blocks_with_cells.tolist() == [[1, 1], [1, 2], [2, 2]]
    kept = shown > 0
    np.testing.assert_array_equal(shown[kept], plane[kept])
    assert blocks.background.level == 60
    assert blocks.background.noise == pytest.approx(60**0.5, abs=0.5)


def _salted(share: float) -> NDArray[Any]:
    plane = _noise()
    plane[np.random.default_rng(1).random(plane.shape) < share] = 60000
    return plane


def _striped() -> NDArray[Any]:
    plane = _noise()
    plane[200], plane[:, 300] = 60000, 60000
    return plane


@pytest.mark.parametrize("plane", [_salted(0.003), _striped()], ids=["hot pixels", "hot lines"])
def test_hot_pixels_are_no_cells(plane: NDArray[Any]) -> None:
    assert not _is_sparse(plane)


def test_hot_pixels_do_not_set_the_range_of_cells() -> None:
    plane = _few()
    clean = _range(plane)[0]
    plane.ravel()[::3001] = 60000
    assert _is_sparse(plane)
    assert _range(plane)[0] == pytest.approx(clean, rel=0.05)


@pytest.mark.parametrize("contrast", [60, 300])
def test_bright_debris_beside_many_cells_changes_nothing(contrast: int) -> None:
    plane = _noise()
    for y in range(30, 640, 60):
        for x in range(30, 640, 60):
            _disk(plane, y, x, 12, contrast)
    _disk(plane, 320, 320, 10, 60000)
    assert not _is_sparse(plane)


def test_bright_debris_beside_few_cells_leaves_them_visible() -> None:
    plane = _few()
    _disk(plane, 550, 550, 6, 60000)
    high, is_little = _range(plane)
    assert is_little
    assert 360 < high < 3 * 360


def test_relief_of_few_cells_in_transmitted_light_changes_nothing() -> None:
    plane = _few() + np.uint16(300)
    plane[112:136, 88:112] -= 200
    assert not _is_sparse(plane)


def test_a_dim_surrounding_of_few_cells_is_no_upper_end() -> None:
    plane = _few()
    plane[70:130, 60:120] += 100
    whole = np.percentile(plane, 99.5)
    high, is_little = _range(plane)
    assert (is_little, 150 < whole < 200, 360 < high < 480) == (True, True, True)


@pytest.mark.parametrize("rows", [64, 128, 320])
def test_bands_of_whole_blocks_show_what_the_plane_shows(rows: int) -> None:
    plane = _few()
    whole, banded = BlockStatistics(), BlockStatistics()
    whole.add(plane)
    parts = [plane[top : top + rows] for top in range(0, len(plane), rows)]
    for part in parts:
        banded.add(part)
    together = np.concatenate([banded.shown(part, k) for k, part in enumerate(parts)])
    np.testing.assert_array_equal(together, whole.shown(plane, 0))


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (3, 70), (65, 130, 3)])
def test_planes_of_any_shape_can_be_asked(shape: tuple[int, ...]) -> None:
    plane, blocks = _noise(shape), BlockStatistics()
    blocks.add(plane)
    assert blocks.shown(plane, 0).shape == shape
    blocks = BlockStatistics()
    blocks.add(np.zeros(shape))
    assert not blocks.few_shown
