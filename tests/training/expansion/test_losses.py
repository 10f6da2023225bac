"""Masks, students and teachers are measured on one scale, and sample by sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from disks import disks, small_student

from napari_ssp.networks import Teacher
from napari_ssp.training.critic.targets import cross_entropy
from napari_ssp.training.expansion.batches import true_loss
from napari_ssp.training.expansion.joint import JointNetwork
from napari_ssp.training.expansion.losses import (
    DOUBT,
    LARGEST_LOSS,
    ExpansionLoss,
    JointLoss,
    confidence,
    mask_loss,
    student_loss,
    teacher_loss,
)

TRUTH = torch.tensor(np.stack([disks(k).labels for k in range(3)])[:, None], dtype=torch.float32)
ALL = torch.ones_like(TRUTH, dtype=torch.bool)


def test_a_teacher_that_predicts_each_loss_has_no_loss() -> None:
    """(N, 1) - (N,) was (N, N) in the published program: a perfect one had a loss above 0."""
    losses = torch.tensor([0.1, 0.5, 2.0])
    assert teacher_loss(losses, losses) == 0.0
    assert teacher_loss(losses, losses, "mse") == 0.0
    assert teacher_loss(losses + torch.tensor([0.3, 0.0, -0.3]), losses) == pytest.approx(0.2)
    assert teacher_loss(losses + 0.2, losses, "mse") == pytest.approx(0.04)
    with pytest.raises(ValueError, match=r"\(3, 1\) were predicted and \(3,\) are true"):
        teacher_loss(losses[:, None], losses)


def test_corrupted_masks_and_students_are_on_one_scale() -> None:
    """One pixel in a hundred that is wrong and sure: 0.046 for both, not 1.0 and 0.06."""
    truth = np.zeros((10, 10), np.int8)
    mask = np.zeros((10, 10), np.float32)
    mask[0, 0] = 1
    assert true_loss(mask, truth) == pytest.approx(0.01 * LARGEST_LOSS)
    logits = torch.where(torch.from_numpy(mask) > 0, 4.6, -9.0)[None, None]
    student = student_loss(logits, torch.zeros_like(logits), torch.ones_like(logits) > 0)
    assert float(student) == pytest.approx(0.01 * LARGEST_LOSS, rel=0.01)


def test_the_loss_of_a_mask_is_that_of_the_corruptions() -> None:
    rng = np.random.default_rng(0)
    masks = np.concatenate([rng.random((2, 32, 32)), TRUTH[2].numpy()]).astype(np.float32)
    masks[0, :4], masks[1, :4] = 0, 1
    wanted = [
        cross_entropy(mask, one[0].numpy() > 0, LARGEST_LOSS).mean()
        for mask, one in zip(masks, TRUTH, strict=True)
    ]
    found = mask_loss(torch.from_numpy(masks[:, None]), TRUTH, ALL)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)
    assert found[2] == 0.0


def test_pixels_that_nobody_annotated_do_not_count() -> None:
    probability = torch.full((1, 1, 2, 2), 0.5)
    truth = torch.ones(1, 1, 2, 2)
    probability[0, 0, 0, 0] = 1e-9
    counted = torch.ones(1, 1, 2, 2, dtype=torch.bool)
    counted[0, 0, 0, 0] = False
    assert mask_loss(probability, truth, counted).item() == pytest.approx(math.log(2))
    assert mask_loss(probability, truth, counted & False).item() == 0.0
    assert true_loss(np.ones((2, 2), np.float32), np.full((2, 2), -1, np.int8)) == 0.0
    logits = probability.logit()
    assert student_loss(logits, truth, counted).item() == pytest.approx(math.log(2))


def test_both_learn_from_the_joint_loss() -> None:
    torch.manual_seed(0)
    network = JointNetwork(small_student(), Teacher("critic", 32, 4, 2).eval())
    logits, predicted = network(torch.rand(3, 1, 32, 32))
    true = mask_loss(logits.sigmoid(), TRUTH, ALL)
    loss = JointLoss("mse")((logits, predicted), TRUTH, ALL)
    wanted = student_loss(logits, TRUTH, ALL) + (predicted - true).square().mean()
    assert loss.item() == pytest.approx(wanted.item())
    loss.backward()
    for part in (network.student, network.teacher):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


def test_a_committee_is_followed_as_far_as_it_agrees() -> None:
    judged = torch.tensor([[0.0, DOUBT, 0.0, -1.0], [0.0, DOUBT, 2 * DOUBT, -1.0]])
    wanted = [1.0, math.exp(-1), math.exp(-2), 1.0]
    assert confidence(judged).tolist() == pytest.approx(wanted)
    assert confidence(judged[:1]).tolist() == pytest.approx([1.0, math.exp(-1), 1.0, 1.0])


class _Says(torch.nn.Module):
    """A teacher that finds the mask's mean, plus a number, to be its loss."""

    def __init__(self, more: float) -> None:
        super().__init__()
        self.more = more

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return mask.mean(dim=(1, 2, 3)) + self.more


def test_what_teachers_say_counts_by_confidence_and_never_below_0() -> None:
    logits = torch.zeros(2, 1, 4, 4, requires_grad=True)
    images, truth = torch.rand(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    labelled = torch.tensor([True, False])
    batch = images, truth, truth > 0, labelled
    loss = ExpansionLoss([_Says(0.0)], weight=2.0)(logits, *batch)
    assert loss.item() == pytest.approx(math.log(2) + 2.0 * 0.5 * math.exp(-0.5 / DOUBT))
    loss = ExpansionLoss([_Says(-0.7)])(logits, *batch)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert logits.grad is not None
    assert logits.grad[1].abs().sum() == 0.0, "nobody is drawn towards a loss below 0"
