"""Losses of students and teachers, all on one scale: nats a pixel, at most `LARGEST_LOSS`.

The published program measured corrupted masks on a scale on which 1 % of wrong pixels is 1.0, and
the student on one where it is about 0.06; a teacher of one could not judge the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

#: Loss of a pixel at most: that of a student who is 99 % sure of what is wrong.
LARGEST_LOSS = 4.6
#: Predicted loss, and spread of a committee, by which an image's weight falls to 37 %.
DOUBT = 0.1
#: What a teacher's predictions may be compared by.
MEASURES = ("mae", "mse")


def mask_loss(
    probability: torch.Tensor, truth: torch.Tensor, counted: torch.Tensor
) -> torch.Tensor:
    """Cross entropy of each mask against the truth: what a teacher predicts.

    The same number as the mean of :func:`~napari_ssp.training.critic.targets.cross_entropy` with
    `LARGEST_LOSS`, and the gradient that a student learns by.

    Parameters
    ----------
    probability, truth : torch.Tensor
        Float (N, 1, Y, X) in [0, 1].
    counted : torch.Tensor
        Bool (N, 1, Y, X), False where nobody annotated.

    Returns
    -------
    torch.Tensor
        Float (N,); 0 where nothing counts.
    """
    agreement = torch.where(truth > 0.5, probability, 1.0 - probability)
    loss = -agreement.clamp(min=math.exp(-LARGEST_LOSS)).log() * counted
    return loss.flatten(1).sum(dim=1) / counted.flatten(1).sum(dim=1).clamp(min=1)


def student_loss(logits: torch.Tensor, truth: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy over all pixels that count; arguments as of `mask_loss`."""
    losses = binary_cross_entropy_with_logits(logits.float(), truth, reduction="none") * counted
    return losses.sum() / counted.sum().clamp(min=1)


def teacher_loss(predicted: torch.Tensor, true: torch.Tensor, measure: str = "mae") -> torch.Tensor:
    """Mean error of predicted losses.

    Parameters
    ----------
    predicted, true : torch.Tensor
        Float (N,), one number for each mask.
    measure : str
        ``"mae"`` or ``"mse"``.

    Raises
    ------
    ValueError
        If the shapes differ: (N, 1) and (N,) would compare each mask with all others.
    """
    if predicted.shape != true.shape:
        raise ValueError(
            f"Losses of shape {tuple(predicted.shape)} were predicted and {tuple(true.shape)} are "
            "true. Give one number for each mask."
        )
    error = predicted.float() - true.to(predicted.device)
    return error.abs().mean() if measure == "mae" else error.square().mean()


@dataclass(frozen=True)
class JointLoss:
    """Loss of a student and a teacher who learn together.

    Attributes
    ----------
    measure : str
        As of `teacher_loss`.
    """

    measure: str = "mae"

    def __call__(
        self,
        output: tuple[torch.Tensor, torch.Tensor],
        truth: torch.Tensor,
        counted: torch.Tensor,
    ) -> torch.Tensor:
        """Loss of the student's logits plus the error of what the teacher said of them."""
        logits, predicted = output
        true = mask_loss(logits.float().sigmoid(), truth, counted)
        return student_loss(logits, truth, counted) + teacher_loss(predicted, true, self.measure)


@dataclass(frozen=True)
class ExpansionLoss:
    """Loss of a student on labelled images, and what a committee thinks of it on unlabelled ones.

    The teachers learn nothing, but the gradient goes through them to the student.

    Attributes
    ----------
    teachers : sequence of Teacher
        In evaluation mode, on the device of the student.
    weight : float
        Of the unlabelled images.
    """

    teachers: Sequence[nn.Module]
    weight: float = 1.0

    def __call__(
        self,
        logits: torch.Tensor,
        images: torch.Tensor,
        truth: torch.Tensor,
        counted: torch.Tensor,
        labelled: torch.Tensor,
    ) -> torch.Tensor:
        """Loss of a mixed batch.

        Parameters
        ----------
        logits, images, truth, counted : torch.Tensor
            (N, 1, Y, X), of all images of the batch.
        labelled : torch.Tensor
            Bool (N,).
        """
        known, unknown = (which.to(logits.device) for which in (labelled, ~labelled))
        loss = student_loss(logits[known], truth[known], counted[known])
        judged = judge(self.teachers, images[unknown], logits[unknown].float().sigmoid())
        # A loss below 0 cannot be: where a teacher says so, there is nothing to follow.
        expected = judged.mean(dim=0).clamp(min=0.0)
        return loss + self.weight * (confidence(judged) * expected).mean()


def judge(
    teachers: Sequence[nn.Module], images: torch.Tensor, probability: torch.Tensor
) -> torch.Tensor:
    """Losses that a committee predicts of masks (N, 1, Y, X): float (teachers, N)."""
    return torch.stack([teacher(images, probability) for teacher in teachers]).float()


def confidence(judged: torch.Tensor) -> torch.Tensor:
    """How far a committee can be followed at each image: 1 where all predict a loss of 0.

    It falls with the loss that is predicted and with the spread of the committee, both in units of
    `DOUBT`. No gradient goes through it, else students would learn to be doubted.

    Parameters
    ----------
    judged : torch.Tensor
        Float (teachers, N).

    Returns
    -------
    torch.Tensor
        Float (N,), above 0 and up to 1.
    """
    known = judged.detach()
    doubt = known.mean(dim=0).clamp(min=0.0) + known.std(dim=0, correction=0)
    return torch.exp(-doubt / DOUBT)
