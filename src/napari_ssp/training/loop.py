"""The training loop: batches in, the best network out, resumable at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from napari_ssp.progress import Progress, Steps
from napari_ssp.training.adapting import learning, plain, train_mode
from napari_ssp.training.feeding import Batch as Batch
from napari_ssp.training.feeding import BatchOf, batches_from
from napari_ssp.training.records import (
    BEST_FILE,
    CHECKPOINT_FILE,
    Row,
    beats,
    load_state,
    save_state,
    write_events,
    write_rows,
)
from napari_ssp.training.state import TrainingState

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.training.state import Preview

#: Scores a network; a preview of a `Progress` on the way is shown to whoever watches.
Score = Callable[[nn.Module], Generator[Progress, None, dict[str, float]]]

OPTIMISERS: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
}
#: Factor of the learning rate by the share of the run that is over.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda share: (
        min(1.0, (share + 1e-3) / 0.03) * (0.01 + 0.495 * (1.0 + math.cos(math.pi * share)))
    ),
    "constant": lambda share: 1.0,
}
#: Channels last are several times as fast, most of all in 3D on a processor.
_LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


@dataclass(frozen=True)
class LoopSettings:
    """How long and how fast to learn.

    Attributes
    ----------
    steps : int
        Optimiser steps at most.
    minutes : float
        Time at most; the learning rate falls along whichever of the two runs out first.
    optimiser : str
        ``"adamw"`` or ``"adam"``.
    schedule : str
        ``"cosine"``: the rate warms up over 3 % of the run and falls as a cosine to 1 %;
        ``"constant"``: it stays.
    learning_rate, weight_decay : float
        Highest rate, and decay, of the optimiser.
    smoothing : float
        Decay of the exponential moving average of the weights that is kept in the end; 0 keeps
        the last weights themselves.
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
    checkpoint_minutes : float
        Time between two checkpoints.
    epoch_steps : float
        Steps of one pass through the data, to tell how many there were.
    precision : str
        ``"auto"``, ``"float32"`` or ``"bfloat16"``; see :func:`mixed_precision`.
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
    score_minutes: float = 10.0
    score_steps: int = 0
    score_base: bool = False
    metric: str = ""
    minimise: bool = False
    checkpoint_minutes: float = 3.0
    epoch_steps: float = 1.0
    precision: str = "auto"
    workers: int = 0


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

    Attributes
    ----------
    step : int
        Optimiser steps taken.
    seconds : float
        Time spent learning.
    rows : list of dict
        Rows of ``metrics.csv``.
    base, best : dict
        Scores before the first step; row whose weights are kept.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[..., torch.Tensor],
        settings: LoopSettings,
        folder: Path,
        purpose: str = "",
    ) -> None:
        self.purpose = purpose
        self.network = network.to(memory_format=_layout(network))  # type: ignore[call-overload]
        self.loss = loss
        self.settings = settings
        self.folder = folder
        self.device = next(network.parameters()).device
        self.average = AveragedModel(
            self.network, multi_avg_fn=_smoothing(settings.smoothing), use_buffers=True
        )
        self.optimiser = OPTIMISERS[settings.optimiser](
            learning(network),
            lr=settings.learning_rate,  # type: ignore[call-arg]
            weight_decay=settings.weight_decay,
        )
        self.step = 0
        self.seconds = 0.0
        self.rows: list[Row] = []
        self.base: dict[str, float] = {}
        self.best: Row = {}
        self.losses = (0.0, 0)
        self.last_loss = math.nan
        self.preview: Preview | None = None

    @property
    def share(self) -> float:
        """Share of the run that is over, 0 to 1."""
        by_time = self.seconds / (60.0 * self.settings.minutes)
        return min(1.0, max(self.step / self.settings.steps, by_time))

    def rate(self) -> float:
        """Learning rate at the present moment."""
        return self.settings.learning_rate * SCHEDULES[self.settings.schedule](self.share)

    def state(self) -> TrainingState:
        """How the run stands."""
        left = self.seconds / self.share * (1.0 - self.share) if self.share else math.nan
        return TrainingState(
            self.step,
            self.seconds / 60.0,
            left / 60.0,
            self.step / self.settings.epoch_steps,
            self.last_loss,
            tuple(self.rows),
            dict(self.base),
            dict(self.best),
            self.preview,
            str(self.device),
        )

    def learn(self, batch: Batch) -> float:
        """Take one optimiser step and return the loss.

        Raises
        ------
        RuntimeError
            When the loss is no longer finite.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        train_mode(self.network)
        inputs, targets = ([self._moved(part) for part in half] for half in batch)
        volumes = inputs[0].ndim == 5
        with mixed_precision(self.device, volumes, self.settings.precision):
            output = self.network(*inputs)
        loss = self.loss(output, *targets)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learning(self.network), 10.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        self.step += 1
        self.last_loss = float(loss.detach())
        if not math.isfinite(self.last_loss):
            raise RuntimeError(
                f"The loss became {self.last_loss} at step {self.step}, so the network is lost. "
                "Start again in an empty folder with a learning rate below "
                f"{self.rate():.2g}."
            )
        self.losses = (self.losses[0] + self.last_loss, self.losses[1] + 1)
        return self.last_loss

    def _moved(self, part: torch.Tensor) -> torch.Tensor:
        if part.ndim < 2:  # numbers that samples are grouped by: reading them must not wait
            return part
        layout = _LAYOUTS.get(part.ndim, torch.preserve_format)
        return part.to(self.device, non_blocking=True, memory_format=layout)

    def record(self, metrics: dict[str, float]) -> None:
        """Add a row of scores; the weights are kept when they are the best so far."""
        total, count = self.losses
        row = {"step": self.step, "minutes": round(self.seconds / 60, 2)}
        row |= {"loss": round(total / count, 4) if count else math.nan}
        row |= {name: round(value, 4) for name, value in metrics.items()}
        self.rows.append(row)
        self.losses = (0.0, 0)
        write_rows(self.folder, self.rows)
        write_events(self.folder, row)
        metric = self.settings.metric
        if metric and beats(row, self.best, metric, self.settings.minimise):
            self.best = row
            weights = plain(smoothed(self)).state_dict()
            save_state(self.folder / BEST_FILE, {"row": row, "weights": weights})

    def save(self) -> None:
        """Write the checkpoint under a temporary name, then rename it."""
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
        save_state(self.folder / CHECKPOINT_FILE, state)

    def resume(self) -> bool:
        """Continue from the folder's checkpoint; False when there is none.

        Raises
        ------
        ValueError
            When the checkpoint is of another network or purpose.
        """
        state = load_state(self.folder / CHECKPOINT_FILE, self.device)
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
        self.losses = tuple(state.get("losses", (0.0, 0)))
        best = load_state(self.folder / BEST_FILE)
        self.best = best["row"] if best else {}
        return True

    def winner(self) -> nn.Module:
        """Best network by the deciding score, else the present one; for prediction."""
        network = plain(smoothed(self))
        best = load_state(self.folder / BEST_FILE, self.device)
        if self.settings.metric and best:
            network.load_state_dict(best["weights"])
        return network


def fit(run: TrainingRun, batch_of: BatchOf, score: Score) -> Steps[nn.Module]:
    """Train until the time or the steps are used up.

    Closing it in between writes a checkpoint, from which the run goes on another time.

    Parameters
    ----------
    run : TrainingRun
        Fresh or resumed.
    batch_of : callable
        Batch of a step number; called ahead of need in a thread, or in processes, which need to
        pickle it. The same step always gives the same batch, so that a resumed run sees what an
        unbroken one would.
    score : callable
        Scores a network on validation images.

    Yields
    ------
    Progress
        After every step and every scored image; its preview is a `TrainingState`.

    Returns
    -------
    torch.nn.Module
        The smoothed network that scored best, in evaluation mode.
    """
    try:
        if run.settings.score_base and not run.base and run.step == 0:
            run.base = yield from _scored(run, score)
        yield from _learn(run, batch_of, score)
        if not run.rows or run.rows[-1]["step"] != run.step:
            run.record((yield from _scored(run, score)))
    except GeneratorExit:
        run.save()
        raise
    run.save()
    return run.winner()


def _learn(run: TrainingRun, batch_of: BatchOf, score: Score) -> Steps[None]:
    settings, pin = run.settings, run.device.type == "cuda"
    scored = saved = run.seconds
    pause = 60.0 * settings.score_minutes
    steps = range(run.step, settings.steps)
    with batches_from(batch_of, steps, settings.workers, pin) as batches:
        while run.share < 1.0:
            began = time.monotonic()
            run.learn(next(batches))
            run.seconds += time.monotonic() - began
            yield _progress(run)
            if run.seconds - saved > 60.0 * settings.checkpoint_minutes:
                run.save()
                saved = run.seconds
            by_time = not settings.score_steps and run.seconds - scored > pause
            by_steps = settings.score_steps and run.step % settings.score_steps == 0
            if run.share < 1.0 and (by_time or by_steps):
                began = time.monotonic()
                run.record((yield from _scored(run, score)))
                run.save()
                scored = saved = run.seconds
                pause = max(pause, 9.0 * (time.monotonic() - began))


def _progress(run: TrainingRun) -> Progress:
    state = run.state()
    stage = f"training, loss {state.loss:.2f}, {state.minutes_left:.0f} min left"
    return Progress(stage, round(1000 * run.share), 1000, state)


def _scored(run: TrainingRun, score: Score) -> Steps[dict[str, float]]:
    """Scores of the smoothed network; the last preview on the way is kept."""
    steps = score(smoothed(run))
    try:
        while True:
            progress = next(steps)
            run.preview = progress.preview or run.preview
            yield Progress(progress.stage, progress.done, progress.total, run.state())
    except StopIteration as stop:
        metrics: dict[str, float] = stop.value
        return metrics
    finally:
        steps.close()


def _layout(network: nn.Module) -> torch.memory_format:
    """Layout that suits the network's convolutions."""
    dimensions = max((parameter.ndim for parameter in network.parameters()), default=0)
    return _LAYOUTS.get(dimensions, torch.preserve_format)


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


@contextmanager
def mixed_precision(
    device: torch.device, volumes: bool = False, precision: str = "auto"
) -> Iterator[None]:
    """Bfloat16 where the processor or the card has it: the range of float32, so no loss scaling.

    Not for volumes on a processor: there oneDNN's bfloat16 gradients of the kernels of 3D
    convolutions are NaN now and then (seen with torch 2.15).
    """
    on_card = device.type == "cuda" and torch.cuda.is_bf16_supported()
    usable = on_card or (device.type == "cpu" and not volumes)
    with torch.autocast(device.type, torch.bfloat16, enabled=usable and precision != "float32"):
        yield
