"""Errors of labels, predicted by a critic whose maps are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_ssp.engine import ErrorPrediction, predict_errors
from napari_ssp.networks import DenseCritic
from napari_ssp.progress import Progress, run


class _Known:
    """Critic that calls bright pixels outside of objects missed, and dark ones inside extra."""

    stride, object_diameter, agreement_head = 8, 14.0, None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        bright, inside = x[:, 0] > 0.5, x[:, 3] > 0.5
        missed, extra = bright & ~inside, ~bright & inside
        none = torch.zeros_like(missed)
        maps = torch.stack([missed, extra, none, none, none, missed | extra, extra], dim=1)
        return torch.where(maps, 20.0, -20.0)

    def object_head(self, features: torch.Tensor) -> torch.Tensor:
        return torch.logit(features[:, 6].clamp(1e-6, 1 - 1e-6))

    def image_head(self, features: torch.Tensor) -> torch.Tensor:
        return torch.logit(features[:, 5].clamp(1e-6, 1 - 1e-6))


def _scene(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Bright squares of 16 pixels; one is not labelled, and one label has nothing below it."""
    image, labels = np.zeros((side, side), np.uint16), np.zeros((side, side), np.uint16)
    places = [(8, 8), (8, side - 40), (side - 40, 8)]
    for number, (y, x) in enumerate(places, start=1):
        image[y : y + 16, x : x + 16] = 900
        labels[y : y + 16, x : x + 16] = 10 * number
    labels[labels == 30] = 0
    labels[side - 40 : side - 24, side - 40 : side - 24] = 40
    return image, labels


@pytest.mark.parametrize(("side", "window"), [(96, (512, 512)), (160, (64, 48))])
def test_maps_objects_and_image_say_what_is_wrong(side: int, window: tuple[int, int]) -> None:
    image, labels = _scene(side)
    found = run(predict_errors(_Known(), image, labels, window=window))
    assert found.probability.shape == labels.shape
    assert found.kinds.shape == (5, *labels.shape)
    np.testing.assert_array_equal(found.objects["label"], [10, 20, 40])
    np.testing.assert_allclose(found.objects["predicted_error"], [0, 0, 1], atol=0.1)
    missed = slice(side - 38, side - 26), slice(10, 22)
    extra = slice(side - 38, side - 26), slice(side - 38, side - 26)
    assert found.kinds[0][missed].min() > 0.9
    assert found.kinds[1][extra].min() > 0.9
    assert found.probability[missed].min() > 0.9
    assert found.probability[12:20, 12:20].max() < 0.1
    # Two of three are found, and about one is missed.
    assert found.image == pytest.approx(1 - 2 / 3.5, abs=0.06)


def test_nothing_is_wrong_where_nobody_annotated() -> None:
    image, labels = _scene(96)
    partly = labels.astype(np.int32)
    partly[48:] = -1
    found = run(predict_errors(_Known(), image, partly))
    assert found.probability[48:].max() == 0
    assert found.kinds[:, 48:].max() == 0
    np.testing.assert_array_equal(found.objects["label"], [10, 20])


def test_no_object_and_a_plane_smaller_than_a_window_are_predicted() -> None:
    critic = DenseCritic(channels=(4, 8)).eval()
    found = run(predict_errors(critic, np.zeros((5, 13)), np.zeros((5, 13), np.uint8)))
    assert found.probability.shape == (5, 13)
    assert found.objects["label"].size == found.objects["predicted_error"].size == 0
    assert 0 <= found.image <= 1


def test_ten_thousand_small_objects_each_have_an_error() -> None:
    labels = np.kron(np.arange(1, 10_001).reshape(100, 100), np.ones((3, 3), int))
    labels[::3] = 0
    critic = DenseCritic(channels=(2, 4)).eval()
    found = run(predict_errors(critic, labels % 7, labels))
    assert found.objects["label"].size == 10_000
    assert np.isfinite(found.objects["predicted_error"]).all()


def test_progress_is_told_and_closing_ends_the_work() -> None:
    image, labels = _scene(96)
    steps = predict_errors(_Known(), image, labels)
    assert next(steps) == Progress("preparing")
    assert next(steps).stage == "windows"
    steps.close()
    assert isinstance(run(predict_errors(_Known(), image, labels)), ErrorPrediction)
