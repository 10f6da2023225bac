"""Error of a mask: PyTorch's numbers, closed forms, and the trap of the original's scale."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from napari_ssp.training.critic.targets import LARGEST_LOSS, cross_entropy


def test_the_loss_is_pytorchs() -> None:
    rng = np.random.default_rng(0)
    mask, truth = rng.random((9, 11)).astype(np.float32), rng.random((9, 11)) < 0.4
    mask[0, :4], truth[0, :4] = (0, 0, 1, 1), (True, False, True, False)
    mask[1, :2] = 1e-30
    expected = functional.binary_cross_entropy(
        torch.from_numpy(mask), torch.from_numpy(truth).float(), reduction="none"
    )
    found = cross_entropy(mask, truth)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-6)
    assert found[0, :4].tolist() == [LARGEST_LOSS, 0, 0, LARGEST_LOSS]
    assert found.dtype == np.float32


def test_probabilities_by_hand() -> None:
    found = cross_entropy([[0.5, 0.25, 0.25]], np.array([[True, True, False]]))
    np.testing.assert_allclose(found, [[np.log(2), np.log(4), np.log(4 / 3)]], rtol=1e-6)


def test_a_hard_mask_scores_its_share_of_wrong_pixels_times_the_limit() -> None:
    truth = np.zeros((10, 10), bool)
    mask = truth.copy()
    mask[4, 4] = True
    assert cross_entropy(mask, truth).mean() == pytest.approx(1.0)
    assert cross_entropy(mask, truth, largest=1.0).mean() == pytest.approx(0.01)
    assert cross_entropy(truth, truth).max() == 0


def test_soft_and_hard_masks_share_a_scale_only_below_a_limit_that_both_reach() -> None:
    truth = np.arange(100) < 50
    hard = truth ^ (np.arange(100) % 50 == 7)  # two pixels are wrong
    soft = np.where(hard, 0.99, 0.01)
    wrong, right = -np.log(0.01), -np.log(0.99)
    assert cross_entropy([soft], truth[None]).sum() == pytest.approx(2 * wrong + 98 * right)
    assert cross_entropy([hard], truth[None]).sum() == pytest.approx(200)
    assert cross_entropy([hard], truth[None], wrong).sum() == pytest.approx(2 * wrong)


def test_what_has_no_cross_entropy_is_refused() -> None:
    truth = np.zeros((2, 3), bool)
    with pytest.raises(ValueError, match="from -4 to 3"):
        cross_entropy(np.array([[-4.0, 3, 0], [0, 0, 0]]), truth)
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(2, 3\)"):
        cross_entropy(np.zeros((3, 2)), truth)
    with pytest.raises(TypeError, match="int64"):
        cross_entropy(np.zeros((2, 3)), truth.astype(np.int64))
    with pytest.raises(ValueError, match="largest loss of a pixel is 0"):
        cross_entropy(np.zeros((2, 3)), truth, 0.0)
