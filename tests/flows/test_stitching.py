"""Labels made block by block are the labels of the whole plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp.flows import TrackingSettings, flows_to_labels, labels_to_flows, stitch_labels
from napari_ssp.metrics import average_precision
from napari_ssp.progress import run

if TYPE_CHECKING:
    from napari_ssp.flows.stitching import Box


class Store:
    """Labels in memory."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.labels = np.zeros(shape, np.uint32)

    def read(self, tile: Any) -> np.ndarray[Any, Any]:
        return self.labels[tile].copy()

    def write(self, tile: Any, block: np.ndarray[Any, Any]) -> None:
        self.labels[tile] = block


def stitched(
    outputs: np.ndarray[Any, Any], tile: int, settings: TrackingSettings | None = None
) -> tuple[np.ndarray[Any, Any], int]:
    def read(box: Box) -> np.ndarray[Any, Any]:
        return outputs[(slice(None), *box)]

    store = Store(outputs.shape[1:])
    chosen = settings or TrackingSettings()
    count = run(stitch_labels(read, store, outputs.shape[1:], chosen, tile))
    return store.labels, count


def outputs_of(labels: np.ndarray[Any, Any], noise: float = 0.0) -> np.ndarray[Any, Any]:
    flows = 5 * labels_to_flows(labels)
    flows += np.random.default_rng(3).normal(0, noise, flows.shape).astype(np.float32)
    return np.concatenate([flows, np.where(labels > 0, 0.95, 0.05)[None]]).astype(np.float32)


def disks(shape: tuple[int, int], pitch: int, radius: float) -> np.ndarray[Any, Any]:
    """Touching disks with ids from 1, row by row."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    inside = (y % pitch - pitch / 2) ** 2 + (x % pitch - pitch / 2) ** 2 <= radius**2
    return np.where(inside, y // pitch * (shape[1] // pitch + 1) + x // pitch + 1, 0)


@pytest.mark.parametrize("tile", [150, 256, 2000])
@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_any_tile_gives_the_labels_of_the_whole(tile: int, noise: float) -> None:
    outputs = outputs_of(disks((460, 400), 33, 17.0), noise)
    whole = flows_to_labels(outputs[:2], outputs[2])
    labels, count = stitched(outputs, tile)
    assert count == whole.max()
    np.testing.assert_array_equal(np.unique(labels), np.arange(count + 1))
    np.testing.assert_array_equal(labels > 0, whole > 0)
    assert (
        len(np.unique(labels.astype(np.int64) * 2**32 + whole)) == count + 1
    )  # nothing is divided


def test_a_small_block_lets_heat_spread_as_in_the_whole() -> None:
    """The flow check of the small objects depends on a large one that only other blocks see."""
    cells = np.zeros((168, 500), int)
    cells[:, :360] = disks((168, 360), 24, 12.0)
    cells[10:158, 380:480] = cells.max() + 1
    outputs = outputs_of(cells, 2.0)
    settings = TrackingSettings(0.5, 0.316)  # one object is near it
    whole = flows_to_labels(outputs[:2], outputs[2], flow_threshold=0.316)
    labels, count = stitched(outputs, 60, settings)
    assert 10 < count == whole.max() < 100  # of 106
    np.testing.assert_array_equal(labels > 0, whole > 0)


def test_an_object_larger_than_blocks_stays_one() -> None:
    outputs = outputs_of(disks((300, 600), 300, 140.0))
    labels, count = stitched(outputs, 130)
    whole = flows_to_labels(outputs[:2], outputs[2])
    assert count == whole.max() == 2
    assert average_precision(whole, labels, (0.99,)) == 1


def test_more_than_65535_objects_have_ids_of_their_own() -> None:
    cells = disks((1596, 1596), 6, 2.5)
    labels, count = stitched(outputs_of(cells), 700, TrackingSettings(0.5, None, 4))
    assert count > 65_535
    assert labels.dtype == np.uint32
    assert labels.max() == count == len(np.unique(labels)) - 1
    assert average_precision(cells, labels, (0.9,)) > 0.99


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_background_and_all_foreground(value: float) -> None:
    outputs = np.zeros((3, 300, 200), np.float32)
    outputs[2] = value
    labels, count = stitched(outputs, 100)
    assert count == labels.max() == flows_to_labels(outputs[:2], outputs[2]).max() == 0


def test_blocks_without_objects_and_narrow_planes() -> None:
    cells = np.zeros((30, 900), int)
    cells[5:25, 870:890] = 1
    labels, count = stitched(outputs_of(cells), 64)
    assert count == 1
    np.testing.assert_array_equal(labels > 0, cells > 0)


def test_a_block_has_pixels() -> None:
    with pytest.raises(ValueError, match="at least 1 pixel"):
        stitched(np.zeros((3, 8, 8), np.float32), 0)
