"""The training loop: batches in, a smoothed network out, resumable at any step."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset

from napari_ssp.progress import Progress, Steps

Tensors = tuple[torch.Tensor, ...]
#: What the network takes, and what the loss takes besides the network's output.
Batch = tuple[Tensors, Tensors]
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
    checkpoint_minutes : float
        Time between two checkpoints.
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
    checkpoint_minutes: float = 3.0
    workers: int = 0


class TrainingRun:
    """A network under training, with all that a checkpoint must hold.

    Parameters
    ----------
    network : torch.nn.Module
        Network to train, on its device; put into the layout of its convolutions.
    loss : callable
        Takes the network's output and the second part of a batch, returns a scalar tensor.
    settings : LoopSettings
        How long and how fast.
    folder : pathlib.Path
        Where ``metrics.csv`` and ``checkpoint.pt`` go.
    purpose : str
        What is learned; a checkpoint of another purpose is refused.
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
            network.parameters(),
            lr=settings.learning_rate,  # type: ignore[call-arg]
            weight_decay=settings.weight_decay,
        )
        self.step = 0
        self.seconds = 0.0

    @property
    def share(self) -> float:
        """Share of the run that is over, 0 to 1."""
        by_time = self.seconds / (60.0 * self.settings.minutes)
        return min(1.0, max(self.step / self.settings.steps, by_time))

    def rate(self) -> float:
        """Learning rate at the present moment."""
        return self.settings.learning_rate * SCHEDULES[self.settings.schedule](self.share)

    def learn(self, batch: Batch) -> float:
        """Take one optimiser step and return the loss.

        Raises
        ------
        RuntimeError
            When the loss is no longer finite.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        self.network.train()
        inputs, targets = ([self._moved(part) for part in half] for half in batch)
        with mixed_precision(self.device, volumes=inputs[0].ndim == 5):
            output = self.network(*inputs)
        loss = self.loss(output, *targets)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        self.step += 1
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RuntimeError(
                f"The loss became {value} at step {self.step}, so the network is lost. Start again "
                f"in an empty folder with a learning rate below {self.rate():.2g}."
            )
        return value

    def _moved(self, part: torch.Tensor) -> torch.Tensor:
        if part.ndim < 2:  # numbers that samples are grouped by: reading them must not wait
            return part
        layout = _LAYOUTS.get(part.ndim, torch.preserve_format)
        return part.to(self.device, non_blocking=True, memory_format=layout)

    def save(self) -> None:
        """Write the checkpoint under a temporary name, then rename it."""
        state = {
            "purpose": self.purpose,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
        }
        temporary = self.folder / "checkpoint.pt.part"
        torch.save(state, temporary)
        temporary.replace(self.folder / "checkpoint.pt")

    def resume(self) -> bool:
        """Continue from the folder's checkpoint; False when there is none.

        Raises
        ------
        ValueError
            When the checkpoint is of another network or purpose.
        """
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
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
        torch.set_rng_state(state["random"].cpu())
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        return True


def fit(run: TrainingRun, batch_of: Callable[[int], Batch], score: Score) -> Steps[nn.Module]:
    """Train until the time or the steps are used up.

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

    Returns
    -------
    torch.nn.Module
        The smoothed network, in evaluation mode.
    """
    settings, losses = run.settings, []
    scored = saved = run.seconds
    pause = 60.0 * settings.score_minutes
    source = _by_processes if settings.workers else _ahead
    with source(batch_of, run) as batches:
        while run.share < 1.0:
            began = time.monotonic()
            losses.append(run.learn(next(batches)))
            run.seconds += time.monotonic() - began
            left = run.seconds / run.share * (1.0 - run.share) / 60.0
            stage = f"training, loss {losses[-1]:.2f}, {left:.0f} min left"
            yield Progress(stage, round(1000 * run.share), 1000)
            if run.seconds - saved > 60.0 * settings.checkpoint_minutes:
                run.save()
                saved = run.seconds
            if run.seconds - scored > pause or run.share >= 1.0:
                began = time.monotonic()
                metrics = yield from score(smoothed(run))
                _record(run, sum(losses) / len(losses), metrics)
                losses, scored = [], run.seconds
                pause = max(pause, 9.0 * (time.monotonic() - began))
    run.save()
    return smoothed(run)


def _layout(network: nn.Module) -> torch.memory_format:
    """Layout that suits the network's convolutions."""
    dimensions = max((parameter.ndim for parameter in network.parameters()), default=0)
    return _LAYOUTS.get(dimensions, torch.preserve_format)


def _shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}


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


def _record(run: TrainingRun, loss: float, metrics: dict[str, float]) -> None:
    row = {"step": run.step, "minutes": round(run.seconds / 60, 2), "loss": round(loss, 4)}
    row |= {name: round(value, 4) for name, value in metrics.items()}
    path = run.folder / "metrics.csv"
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


@contextmanager
def _ahead(batch_of: Callable[[int], Batch], run: TrainingRun) -> Iterator[Iterator[Batch]]:
    """Batches of consecutive steps, three of them prepared ahead in a thread."""
    pool, first = ThreadPoolExecutor(1, thread_name_prefix="batches"), run.step

    def stream() -> Iterator[Batch]:
        waiting = [pool.submit(batch_of, first + k) for k in range(3)]
        step = first + len(waiting)
        while True:
            yield waiting.pop(0).result()
            waiting.append(pool.submit(batch_of, step))
            step += 1

    try:
        yield stream()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Steps(Dataset[Batch]):
    """Batches by step number, as torch's loader wants them.

    A new process waits for its data before the next one is started. Sent through a file that each
    reads when it is needed, all start together instead of a quarter of a minute apart.
    """

    def __init__(self, batch_of: Callable[[int], Batch], folder: str) -> None:
        self._path = Path(folder) / "batches"
        self._path.write_bytes(ForkingPickler.dumps(batch_of))

    @cached_property
    def _batch_of(self) -> Callable[[int], Batch]:
        read: Callable[[int], Batch] = ForkingPickler.loads(self._path.read_bytes())
        return read

    def __getitem__(self, step: int) -> Batch:
        return self._batch_of(step)


def _use_one_thread(worker: int) -> None:
    """Keep many processes from starting many threads each; torch sees to its own."""
    os.environ["OMP_NUM_THREADS"] = "1"


@contextmanager
def _by_processes(batch_of: Callable[[int], Batch], run: TrainingRun) -> Iterator[Iterator[Batch]]:
    """Batches of consecutive steps in the same order as one thread would give them."""
    with TemporaryDirectory(prefix="napari-ssp-", ignore_cleanup_errors=True) as folder:
        loader = DataLoader(
            _Steps(batch_of, folder),
            batch_size=None,
            sampler=range(run.step, run.settings.steps),
            num_workers=run.settings.workers,
            pin_memory=run.device.type == "cuda",
            multiprocessing_context="spawn",
            worker_init_fn=_use_one_thread,
        )
        batches = iter(loader)
        try:
            yield batches
        finally:
            del batches  # ends the processes


@contextmanager
def mixed_precision(device: torch.device, volumes: bool = False) -> Iterator[None]:
    """Bfloat16 where the processor or the card has it: the range of float32, so no loss scaling.

    Not for volumes on a processor: there oneDNN's bfloat16 gradients of the kernels of 3D
    convolutions are NaN now and then (seen with torch 2.15).
    """
    on_card = device.type == "cuda" and torch.cuda.is_bf16_supported()
    usable = on_card or (device.type == "cpu" and not volumes)
    with torch.autocast(device.type, torch.bfloat16, enabled=usable):
        yield
