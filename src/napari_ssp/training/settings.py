"""Settings of a training: how long and how fast a network learns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_ssp.training.gate import Gate

OPTIMISERS: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "radam": torch.optim.RAdam,
}
#: Factor of the learning rate by the share of the run that is over.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda share: (
        min(1.0, (share + 1e-3) / 0.03) * (0.01 + 0.495 * (1.0 + math.cos(math.pi * share)))
    ),
    "constant": lambda share: 1.0,
    "steps": lambda share: 0.1 ** min(5, int(6.0 * share)),
}


@dataclass(frozen=True)
class LoopSettings:
    """How long and how fast to learn.

    Attributes
    ----------
    steps : int
        Optimiser steps at most.
    minutes : float
        Time at most, scoring included; the learning rate falls along whichever of the two runs
        out first.
    optimiser : str
        ``"adamw"``, ``"adam"`` or ``"radam"``.
    schedule : str
        ``"cosine"``: the rate warms up over 3 % of the run and falls as a cosine to 1 %;
        ``"constant"``: it stays; ``"steps"``: a tenth from each sixth of the run to the next.
    learning_rate, weight_decay : float
        Highest rate, and decay, of the optimiser.
    smoothing : float
        Decay of the exponential moving average of the weights that is kept in the end; 0 keeps
        the last weights themselves.
    keep_statistics : bool
        Leave the statistics of the batch normalisation as they are.
    score_minutes : float
        Time between two scorings on the validation images; more where scoring would take over a
        tenth of the time.
    score_steps : int
        Steps between two scorings; 0 goes by time. By steps a run that was interrupted ends as an
        unbroken one.
    score_base : bool
        Score the network before the first step, too.
    metric : str
        Score that decides which weights are kept; empty keeps the last.
    minimise : bool
        Whether a lower score is better.
    gate : Gate or None
        Ends the run when it makes the network worse, which needs `score_base`; None lets it go on.
    checkpoint_minutes : float
        Time between two checkpoints.
    epoch_steps : float
        Steps of one pass through the data, to tell how many there were.
    precision : str
        ``"auto"``, ``"float32"`` or ``"bfloat16"``; see
        :func:`~napari_ssp.training.step.choose_precision`.
    workers : int
        Processes that make batches; 0 makes them in a thread of this one.
    """

    steps: int = 1_000_000
    minutes: float = 30.0
    optimiser: str = "adamw"
    schedule: str = "cosine"
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    smoothing: float = 0.999
    keep_statistics: bool = False
    score_minutes: float = 10.0
    score_steps: int = 0
    score_base: bool = False
    metric: str = ""
    minimise: bool = False
    gate: Gate | None = None
    checkpoint_minutes: float = 3.0
    epoch_steps: float = 1.0
    precision: str = "auto"
    workers: int = 0
