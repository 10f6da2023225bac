"""Student and teacher as one network, so that one optimiser trains both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch


class JointNetwork(nn.Module):
    """A student, and a teacher that judges its masks.

    Parameters
    ----------
    student, teacher : torch.nn.Module
        Of one image size.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__()
        self.student = student
        self.teacher = teacher

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (N, 1, Y, X) of images (N, C, Y, X), and the loss (N,) predicted of them."""
        logits = self.student(image)
        return logits, self.teacher(image, logits.sigmoid())
