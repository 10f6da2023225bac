"""Kind of a training: what differs between cells, structures and whatever comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import nn

    from napari_ssp.progress import Steps
    from napari_ssp.registry import ModelCard
    from napari_ssp.service.results import TrainingPlan
    from napari_ssp.service.training.conclusion import Judged
    from napari_ssp.service.training.manifest import Entry
    from napari_ssp.training.batches import BatchOf
    from napari_ssp.training.loop import TrainingRun
    from napari_ssp.training.weight_interpolation import Interpolated


class TrainingData(Protocol):
    """Data that were read, some of them perhaps into files of the run."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What reading them gave reason to say."""

    def close(self) -> None:
        """Remove the files."""


def nothing_to_check(request: Any) -> Steps[None]:
    """Try nothing: what the request begins with is its base, which its plan has looked at."""
    yield from ()


Q = TypeVar("Q")
F = TypeVar("F")
D = TypeVar("D", bound=TrainingData)


@dataclass(frozen=True)
class PreparedTraining:
    """A training whose data, network and settings are there, so that it can begin.

    Attributes
    ----------
    run : TrainingRun
        Where it begins, or goes on.
    card : ModelCard
        Of the model to be.
    batches : BatchOf
        What it learns from.
    score : callable
        Steps of scoring a network.
    judged : Judged
        What decides whether the model is installed.
    dtype : torch.dtype
        Type in which weights are written.
    mix : callable or None
        Steps of mixing the learned network with its base, where that is asked for.
    """

    run: TrainingRun
    card: ModelCard
    batches: BatchOf
    score: Callable[[nn.Module], Steps[dict[str, float]]]
    judged: Judged
    dtype: torch.dtype
    mix: Callable[[], Steps[Interpolated]] | None = None


@dataclass(frozen=True)
class TrainingPlanner(Generic[Q, F]):
    """How one kind of training is planned; loads nothing that learns.

    Attributes
    ----------
    base_card : callable
        Card of the model that a request starts from, or None; refuses one that does not fit.
    find_files : callable
        Files of a request and its base; refuses what names and headers show to be wrong.
    describe : callable
        What a training on those files would do.
    """

    base_card: Callable[[Q], ModelCard | None]
    find_files: Callable[[Q, ModelCard | None], F]
    describe: Callable[[Q, ModelCard | None, F], TrainingPlan]


@dataclass(frozen=True)
class TrainingKind(Generic[Q, F, D]):
    """How one kind of training reads and learns what its plan found.

    Attributes
    ----------
    entries : callable
        The files of a plan as the lines of the manifest.
    read : callable
        Steps of reading them, for one of several processes; a failure leaves no files behind.
    check : callable
        Steps of trying what a request begins with, before its folder is made and images are read.
    prepare : callable
        Steps from a request, its base and its data to a `PreparedTraining`.
    fit : callable
        Steps from a request to one that this computer can do in its time.
    """

    entries: Callable[[F], list[Entry]]
    read: Callable[[F, Q, int], Steps[D]]
    check: Callable[[Q], Steps[None]]
    prepare: Callable[[Q, ModelCard | None, D], Steps[PreparedTraining]]
    fit: Callable[[Q], Steps[Q]]
