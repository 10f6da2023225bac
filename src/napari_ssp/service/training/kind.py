"""Kind of a training: what differs between cells, structures and whatever comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch
    from torch import nn

    from napari_ssp.progress import Steps
    from napari_ssp.registry import ModelCard
    from napari_ssp.service.results import DataSize, TrainingPlan
    from napari_ssp.service.training.conclusion import Judged
    from napari_ssp.service.training.manifest import Entry
    from napari_ssp.training.batches import Batch, BatchOf
    from napari_ssp.training.loop import TrainingRun
    from napari_ssp.training.pace import Crop, Sides
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


def _all_of_it(network: nn.Module) -> nn.Module:
    return network


Q = TypeVar("Q")
F = TypeVar("F")
D = TypeVar("D", bound=TrainingData)


@dataclass(frozen=True)
class Luggage(Generic[D]):
    """How data that were read travel to another computer.

    Attributes
    ----------
    pack : callable
        Plain values and arrays of the data.
    unpack : callable
        The data again, of these and a folder for what is too much for memory.
    """

    pack: Callable[[D], dict[str, Any]]
    unpack: Callable[[dict[str, Any], Path], D]


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
    model : callable
        What of the learned network becomes the model; all of it, as a rule.
    """

    run: TrainingRun
    card: ModelCard
    batches: BatchOf
    score: Callable[[nn.Module], Steps[dict[str, float]]]
    judged: Judged
    dtype: torch.dtype
    mix: Callable[[], Steps[Interpolated]] | None = None
    model: Callable[[nn.Module], nn.Module] = _all_of_it


@dataclass(frozen=True)
class Workload(Generic[Q]):
    """What a step of one kind of training works on, which its pace depends on; needs no torch.

    Attributes
    ----------
    network_card : callable
        Card of the network that a request trains, given that of its base or None.
    ends_by_time : callable
        Whether a time is the only limit of a request.
    settings : callable
        What else of a request a step's time depends on, besides network, device and crop.
    crop, with_crop : callable
        Lengths of the crops that a request takes of some data; the request with other ones.
    describe : callable
        Words for a crop.
    sides : Sides
        Which crops are possible.
    measured : tuple of int
        Crop that a CPU is measured on; another device takes the one asked for.
    """

    network_card: Callable[[Q, ModelCard | None], ModelCard]
    ends_by_time: Callable[[Q], bool]
    settings: Callable[[Q], tuple[Any, ...]]
    crop: Callable[[Q, DataSize], Crop]
    with_crop: Callable[[Q, Crop], Q]
    describe: Callable[[Crop], str]
    sides: Sides
    measured: Crop


@dataclass(frozen=True)
class Trial:
    """A network that is measured before it is trained.

    Attributes
    ----------
    network : torch.nn.Module
        As it will learn, on its device and in its layout.
    loss : callable
        Takes the network's output and the second part of a batch.
    noise : callable
        Batch of so many crops of some lengths.
    predictor : callable
        Network that scoring predicts with.
    precision : str
        ``"auto"``, ``"float32"`` or ``"bfloat16"``.
    """

    network: nn.Module
    loss: Callable[..., torch.Tensor]
    noise: Callable[[int, Crop], Batch]
    predictor: Callable[[], nn.Module]
    precision: str


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
    workload : Workload or None
        What its pace depends on; None where the pace decides nothing.
    """

    base_card: Callable[[Q], ModelCard | None]
    find_files: Callable[[Q, ModelCard | None], F]
    describe: Callable[[Q, ModelCard | None, F], TrainingPlan]
    workload: Workload[Q] | None = None


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
    trial : callable or None
        The network of a request and its card, on a device, to be measured.
    luggage : Luggage or None
        How the data are sent; None where they are not.
    """

    entries: Callable[[F], list[Entry]]
    read: Callable[[F, Q, int], Steps[D]]
    check: Callable[[Q], Steps[None]]
    prepare: Callable[[Q, ModelCard | None, D], Steps[PreparedTraining]]
    trial: Callable[[Q, ModelCard, torch.device], Trial] | None = None
    luggage: Luggage[D] | None = None
