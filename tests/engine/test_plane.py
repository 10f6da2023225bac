"""A plane predicted block by block is the plane predicted as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_ssp.engine import (
    EIGHT_VIEWS,
    MEDIAR_VIEWS,
    TileSettings,
    View,
    floored_gaussian_window,
    predict_tiles,
    resample,
    strips,
)
from napari_ssp.engine.plane import PlaneSource, boxes, predict_box, predict_plane, resample_box
from napari_ssp.engine.store import ArrayStore
from napari_ssp.progress import run

if TYPE_CHECKING:
    from napari_ssp.engine.tiling import Tile

SETTINGS = TileSettings((32, 48), 0.6, 3, "cpu", floored_gaussian_window)


def network(windows: torch.Tensor) -> torch.Tensor:
    """Neither mirrored nor shifted windows give the same: every mistake of place shows."""
    ramp = (
        torch.linspace(0, 1, windows.shape[-1]) + torch.linspace(0, 2, windows.shape[-2])[:, None]
    )
    return torch.stack([windows[:, 0] * ramp, windows[:, 1] - ramp, windows[:, 2].cumsum(-1)], 1)


def reader(image: np.ndarray[Any, Any]) -> Any:
    def read(box: Tile) -> np.ndarray[Any, Any]:
        return image[(slice(None), *box)]

    return read


@pytest.mark.parametrize("shape", [(100, 130), (20, 200), (131, 30), (5, 7), (33, 49)])
@pytest.mark.parametrize(
    "views", [(View(),), MEDIAR_VIEWS, EIGHT_VIEWS], ids=["plain", "mirrored", "turned"]
)
def test_equals_the_prediction_of_the_whole(
    shape: tuple[int, int], views: tuple[View, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.random.default_rng(0).random((3, *shape), np.float32)
    settings = replace(SETTINGS, views=views)
    expected = run(predict_tiles(network, image, settings))
    monkeypatch.setattr(strips, "WIDTH", 1)
    store = ArrayStore((3, *shape))
    source = PlaneSource(reader(image), shape)
    steps = list(predict_plane(network, source, settings, store))
    np.testing.assert_allclose(store.array(), expected, atol=2e-5)
    assert steps[-1].done == steps[-1].total
    assert [s.done for s in steps] == sorted(s.done for s in steps)


@pytest.mark.parametrize("shape", [(100, 230), (20, 200), (5, 7)])
@pytest.mark.parametrize(
    "views", [(View(),), MEDIAR_VIEWS, EIGHT_VIEWS], ids=["plain", "mirrored", "turned"]
)
def test_a_box_alone_has_the_values_of_the_whole(
    shape: tuple[int, int], views: tuple[View, ...]
) -> None:
    image = np.random.default_rng(2).random((3, *shape), np.float32)
    settings = replace(SETTINGS, views=views, batch_size=1)
    whole, source = ArrayStore((3, *shape)), PlaneSource(reader(image), shape)
    list(predict_plane(network, source, settings, whole))
    for box in boxes(shape, 37):
        alone = run(predict_box(network, source, settings, box))
        np.testing.assert_array_equal(alone, whole.read((slice(None), *box)))


@pytest.mark.parametrize("new_shape", [(25, 60), (90, 170), (40, 75), (61, 33), (1, 1)])
def test_boxes_are_resampled_as_the_whole(new_shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).random((2, 40, 75), np.float32)
    result = np.empty((2, *new_shape), np.float32)
    for box in boxes(new_shape, 17):
        result[(slice(None), *box)] = resample_box(reader(image), (40, 75), new_shape, box)
    np.testing.assert_allclose(result, resample(image, new_shape), atol=1e-5)
