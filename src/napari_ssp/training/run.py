"""A network under training: one step, its records, its checkpoint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from napari_ssp.training.adapting import learning_parameters, plain, train_mode
from napari_ssp.training.depthwise import learn_depthwise_in_float32
from napari_ssp.training.processes import SINGLE_PROCESS, ProcessGroup
from napari_ssp.training.records import (
    Events,
    Row,
    beats,
    load_checkpoint,
    load_state,
    save_checkpoint,
    save_state,
    write_rows,
)
from napari_ssp.training.run_files import BEST_FILE
from napari_ssp.training.scored_images import SHARE, ScoredImages
from napari_ssp.training.settings import OPTIMISERS, SCHEDULES, LoopSettings
from napari_ssp.training.state import TrainingState
from napari_ssp.training.step import LAYOUTS, take_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari_ssp.training.batches import Batch
    from napari_ssp.training.state import Preview


class TrainingRun:
    """A network under training, with all that a checkpoint must hold.

    Parameters
    ----------
    network : torch.nn.Module
        Network to train, on its device; put into the layout of its convolutions. Parameters that
        need no gradient stay as they are, see :mod:`napari_ssp.training.adapting`.
    loss : callable
        Takes the network's output and the second part of a batch, returns a scalar tensor.
    settings : LoopSettings
        How long and how fast.
    folder : pathlib.Path
        Where ``metrics.csv``, ``checkpoint.pt`` and ``best.pt`` go.
    purpose : str
        What is learned; a checkpoint of another purpose is refused.
    processes : Team
        Processes that train together; all but the first keep what they see to themselves.

    Attributes
    ----------
    step : int
        Optimiser steps taken.
    seconds, scoring_seconds : float
        Time spent learning, and scoring.
    validation : ScoredImages
        What is scored; set before `resume`, which knows how many were scored before.
    rows : list of dict
        Rows of ``metrics.csv``.
    base, best : dict
        Scores before the first step; row whose weights are kept.
    is_shut : bool
        Whether the gate of the settings has ended it.
    doubt : str
        What was wrong with the files that it went on from; empty where nothing was.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[..., torch.Tensor],
        settings: LoopSettings,
        folder: Path,
        purpose: str = "",
        processes: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.purpose = purpose
        self.processes = processes
        self.network = network.to(memory_format=_layout(network))  # type: ignore[call-overload]
        self.loss = loss
        self.settings = settings
        self.folder = folder
        self.device = next(network.parameters()).device
        if self.device.type == "cpu":
            learn_depthwise_in_float32(self.network)
        self.average = AveragedModel(
            self.network, multi_avg_fn=_smoothing(settings.smoothing), use_buffers=True
        )
        self.optimiser = OPTIMISERS[settings.optimiser](
            learning_parameters(network),
            lr=settings.learning_rate,  # type: ignore[call-arg]
            weight_decay=settings.weight_decay,
        )
        self.events = Events(folder)
        self.shared = processes.distribute(self.network)
        self.step = 0
        self.seconds = self.scoring_seconds = 0.0
        self._agreed_scoring = 0.0  # what all processes know of it
        self.rows: list[Row] = []
        self.base: dict[str, float] = {}
        self.doubt = ""
        self.is_shut = False
        self.best: Row = {}
        self.losses = (0.0, 0)
        self.last_loss = math.nan
        self.preview: Preview | None = None
        self.validation: ScoredImages[Any] = ScoredImages(())
        self._warm: tuple[int, float] | None = None

    @property
    def share(self) -> float:
        """Share of the run that is over, 0 to 1."""
        if self.is_shut:
            return 1.0
        whole = 60.0 * self.settings.minutes
        by_time = self.seconds / max(whole - self._agreed_scoring, (1.0 - SHARE) * whole)
        return min(1.0, max(self.step / self.settings.steps, by_time))

    def rate(self) -> float:
        """Learning rate at the present moment."""
        return self.settings.learning_rate * SCHEDULES[self.settings.schedule](self.share)

    def state(self) -> TrainingState:
        """How the run stands."""
        return TrainingState(
            step=self.step,
            minutes=self.seconds / 60.0,
            minutes_left=self._seconds_left() / 60.0,
            epoch=self.step / self.settings.epoch_steps,
            loss=self.last_loss,
            rows=tuple(self.rows),
            base=dict(self.base),
            best=dict(self.best),
            preview=self.preview,
            device=str(self.device),
            scored=len(self.validation),
            validation=len(self.validation.images),
            noun=self.validation.noun,
            objects=self.validation.objects,
        )

    def _seconds_left(self) -> float:
        """Time left by the limit that is reached first; NaN while that cannot be told."""
        by_time = max(0.0, 60.0 * self.settings.minutes - self.seconds - self.scoring_seconds)
        if self._warm is None or self.step == self._warm[0]:
            return by_time if math.isfinite(by_time) else math.nan
        per_step = (self.seconds - self._warm[1]) / (self.step - self._warm[0])
        return min(by_time, per_step * (self.settings.steps - self.step))

    def learn(self, batch: Batch) -> float:
        """Take one optimiser step and return the loss.

        Raises
        ------
        RuntimeError
            When the loss is no longer finite.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        train_mode(self.network, self.settings.keep_statistics)
        loss = take_step(self.shared, self.optimiser, self.loss, batch, self.settings.precision)
        self.average.update_parameters(self.network)
        self.step += 1
        self.last_loss = float(loss)
        if not math.isfinite(self.last_loss):
            raise RuntimeError(
                f"The loss became {self.last_loss} at step {self.step}, so the network is lost. "
                "Start again in an empty folder with a learning rate below "
                f"{self.rate():.2g}."
            )
        self.losses = (self.losses[0] + self.last_loss, self.losses[1] + 1)
        return self.last_loss

    def record(self, metrics: dict[str, float]) -> None:
        """Add a row of scores; the weights are kept when no earlier ones were better.

        A row that the gate refuses ends the run, and its weights are never kept.
        """
        if not self.processes.is_main:
            return
        total, count = self.losses
        row = {"step": self.step, "minutes": round(self.seconds / 60, 2)}
        row |= {"loss": round(total / count, 4) if count else math.nan}
        row |= metrics
        self.rows.append(row)
        self.losses = (0.0, 0)
        write_rows(self.folder, self.rows)
        self.events.add(row)
        self._ask_gate()
        # Of equal scores the later one: few objects give the same score again and again.
        is_best = self._has_score(row) and not self._is_better(self.best, row)
        if is_best and not self.is_shut:
            self.best = row
            weights = plain(smoothed(self)).state_dict()
            save_state(self.folder / BEST_FILE, {"row": row, "weights": weights})

    def _ask_gate(self) -> None:
        gate = self.settings.gate
        self.is_shut = gate is not None and gate.is_shut(self.rows)

    def _has_score(self, row: Row) -> bool:
        return not math.isnan(row.get(self.settings.metric, math.nan))

    def _is_better(self, row: Row, other: Row) -> bool:
        return beats(row, other, self.settings.metric, self.settings.minimise)

    def spend(self, seconds: float) -> None:
        """Count time, also that of scoring before; that of the first process counts for all."""
        self.seconds = self.processes.broadcast(self.seconds + seconds, self.device)
        self._agreed_scoring = self.processes.broadcast(self.scoring_seconds, self.device)
        if self._warm is None and self.step:  # the first step, in which all is warmed up
            self._warm = self.step, self.seconds

    def spend_on_scoring(self, seconds: float) -> None:
        """Count time that only this process knows of; four fifths are left for learning."""
        self.scoring_seconds += seconds

    def save(self) -> None:
        """Write the checkpoint under a temporary name, then rename it."""
        if not self.processes.is_main:
            return
        state = {
            "purpose": self.purpose,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": _random_states(),
            "step": self.step,
            "seconds": self.seconds,
            "rows": self.rows,
            "base": self.base,
            "losses": self.losses,
        }
        if self.validation.is_limited:
            state["scored"] = {"images": self.validation.count, "seconds": self.scoring_seconds}
        save_checkpoint(self.folder, state)

    def resume(self) -> bool:
        """Continue from the folder's checkpoint; False when there is none.

        Raises
        ------
        ValueError
            When the checkpoint is of another network or purpose.
        """
        state, self.doubt = load_checkpoint(self.folder, self.device)
        if state is None:
            return False
        same = state.get("purpose") == self.purpose
        if not same or _shapes(state["network"]) != _shapes(self.network.state_dict()):
            raise ValueError(
                f"{self.folder} holds a run of '{state.get('purpose')}' with another network than "
                f"this one of '{self.purpose}'. Choose another folder, or the choices that the run "
                "was started with."
            )
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        _set_random_states(state["random"])
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self.rows, self.base = list(state.get("rows", [])), dict(state.get("base", {}))
        self._ask_gate()
        self.losses = tuple(state.get("losses", (0.0, 0)))
        best = self._best_state()
        self.best = best["row"] if best else {}
        if self.validation.is_limited and (self.rows or self.base):
            # What was scored before goes on to be; earlier versions always scored all.
            before = state.get("scored", {"images": len(self.validation), "seconds": 0.0})
            self.validation.count = before["images"]
            self.scoring_seconds = self._agreed_scoring = before["seconds"]
        return True

    def _best_state(self) -> dict[str, Any] | None:
        """Weights that scored best, with their row; None where they are missing or damaged."""
        try:
            best = load_state(self.folder / BEST_FILE, self.device)
        except ValueError as error:
            self.doubt = f"{error} The best weights from here on count."
            return None
        return best if best and {"row", "weights"} <= set(best) else None

    def winner(self) -> nn.Module:
        """Best network by the deciding score, else the present one; for prediction."""
        network = plain(smoothed(self))
        best = self._best_state()
        if self.settings.metric and best:
            network.load_state_dict(best["weights"])
        return network


def _layout(network: nn.Module) -> torch.memory_format:
    """Layout that suits the network's convolutions."""
    dimensions = max((parameter.ndim for parameter in network.parameters()), default=0)
    return LAYOUTS.get(dimensions, torch.preserve_format)


def _shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}


def _random_states() -> dict[str, Any]:
    return {"processor": torch.get_rng_state(), "cards": torch.cuda.get_rng_state_all()}


def _set_random_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["processor"].cpu())
    if len(states["cards"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cards"]])


def _smoothing(decay: float) -> Callable[..., None]:
    """Exponential moving average that follows closely while it is young."""

    @torch.no_grad()
    def update(
        average: Sequence[torch.Tensor], current: Sequence[torch.Tensor], count: torch.Tensor | int
    ) -> None:
        weight = 1.0 - min(decay, (1.0 + float(count)) / (10.0 + float(count)))
        for kept, new in zip(average, current, strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, weight)
            else:
                kept.copy_(new)

    return update


def smoothed(run: TrainingRun) -> nn.Module:
    """Return the exponential moving average of the network, for prediction."""
    module: nn.Module = run.average.module
    return module.eval()
