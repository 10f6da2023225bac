"""State of a training, as a plain value for whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_ssp.training.scored_images import are_too_few

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Name, image, truth and prediction of one validation image.
Preview = tuple[str, "NDArray[Any]", "NDArray[Any]", "NDArray[Any]"]


@dataclass(frozen=True, eq=False)
class TrainingState:
    """How a training stands.

    Attributes
    ----------
    step : int
        Optimiser steps taken.
    minutes : float
        Time spent learning.
    minutes_left : float
        Time that is left at this pace.
    epoch : float
        Passes through the training images so far, one crop of each.
    loss : float
        Loss of the last step; NaN before the first.
    rows : tuple of dict
        Rows of ``metrics.csv`` so far: step, minutes, loss and the scores, such as ``f1_0.50``.
    base : dict
        Scores of the base model on the same validation images; empty without a base.
    best : dict
        The row whose weights are kept; empty before the first scoring.
    preview : tuple or None
        Name, image, truth and prediction of one validation image as last scored. Cells: uint8
        (Y, X) or (Y, X, 3), int32 with -1 where nothing is annotated, uint32. Structures: float32.
    device : str
        Where the network runs.
    scored, validation : int
        Validation images, or parts of them, that are scored, of how many.
    noun : str
        Which of the two they are.
    objects : int or None
        Annotated objects in those that are scored; None while unknown, and of structures.
    """

    step: int
    minutes: float
    minutes_left: float
    epoch: float
    loss: float
    rows: tuple[dict[str, float], ...] = ()
    base: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    preview: Preview | None = None
    device: str = ""
    scored: int = 0
    validation: int = 0
    noun: str = "validation images"
    objects: int | None = None

    @property
    def too_few(self) -> bool:
        """Whether so few objects are scored that nothing can be judged by them."""
        return are_too_few(self.objects)
