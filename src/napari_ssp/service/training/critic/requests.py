"""Request to train a critic, which predicts where labels are wrong."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from napari_ssp.registry.card_checks import check_name
from napari_ssp.schema import checked_dataclass, choice
from napari_ssp.service.requests import Request
from napari_ssp.service.results import TrainedModel
from napari_ssp.service.training.requests import Install, Machine


@checked_dataclass(frozen=True)
class CriticNetwork:
    """Critic that is made from scratch.

    Attributes
    ----------
    channels, object_diameter
        As of :class:`~napari_ssp.networks.DenseCritic`.
    crop : int
        Side of what it learns from at once, in pixels that it sees; a multiple of 32.
    mistakes_share, faults_share : float
        Share of crops with labels that models made, and with faults planted into the truth; the
        others show the truth. Without such labels their share has the truth, too.
    """

    channels: tuple[int, ...] = (16, 32, 64, 96)
    object_diameter: float = choice(
        12.0,
        "Object diameter",
        "Of typical objects, in pixels that the critic sees",
        min=4,
        max=128,
    )
    crop: int = choice(96, "Crop", "Side of a crop in pixels, a multiple of 32", min=32, max=1024)
    mistakes_share: float = choice(
        0.6, "Mistakes", "Share of crops with labels that models made", min=0.0, max=1.0
    )
    faults_share: float = choice(
        0.35, "Faults", "Share of crops with faults planted into true labels", min=0.0, max=1.0
    )

    def __post_init__(self) -> None:
        """Refuse values that do not go together."""
        if self.crop % 32:
            raise ValueError(f"The crop must be a multiple of 32 pixels, got {self.crop}.")
        if self.mistakes_share + self.faults_share > 1:
            raise ValueError(
                f"Shares of {self.mistakes_share:g} and {self.faults_share:g} are more than all "
                "crops together. Make one of them smaller."
            )


@checked_dataclass(frozen=True)
class CriticSchedule:
    """Duration and speed of a critic's training.

    Attributes
    ----------
    minutes, epochs, steps, learning_rate, weight_decay, smoothing, batch_size
        As of :class:`~napari_ssp.service.training.requests.Schedule`.
    """

    minutes: float | None = choice(10.0, "Minutes", "Training time at most", min=0.01)
    epochs: float | None = choice(
        None, "Epochs", "Passes through the training images at most", min=0.01
    )
    steps: int | None = choice(None, "Steps", "Optimiser steps at most", min=1)
    learning_rate: float = choice(3e-3, "Learning rate", "Highest learning rate", min=1e-7, max=1)
    weight_decay: float = choice(0.01, "Weight decay", "Of the optimiser", min=0.0, max=1.0)
    smoothing: float = choice(
        0.99, "Smoothing", "Moving average of the weights; 0 keeps the last", min=0.0, max=0.99999
    )
    batch_size: int = choice(8, "Batch", "Crops in a batch", min=2, max=4096)

    def __post_init__(self) -> None:
        """Refuse values that do not go together."""
        if self.minutes is None and self.epochs is None and self.steps is None:
            raise ValueError("Training without an end: give minutes, epochs or steps.")


@checked_dataclass(frozen=True)
class TrainCriticRequest(Request[TrainedModel]):
    """Train a critic on images with true labels, and on labels of them that models got wrong.

    Attributes
    ----------
    data, output, validation, exclude
        As of :class:`~napari_ssp.service.training.requests.TrainRequest`.
    mistakes : tuple of pathlib.Path
        Folders of label files that models made of these images, under the images' names, as
        ``napari-ssp segment -o`` writes them; one folder for each way of segmenting.
    reviews : tuple of str
        Names of the models that made these labels, for the card: where one of them has segmented an
        image, this critic reviews the result unless another one is chosen.
    name : str
        Name of the new model.
    install : str
        ``"better"`` and ``"always"`` install it, for it has no base; ``"never"`` does not.
    network : CriticNetwork
    schedule : CriticSchedule
    machine : Machine
        Their fields may be given by name in their place.
    """

    data: tuple[Path, ...]
    output: Path
    validation: tuple[Path, ...] = ()
    exclude: tuple[str, ...] = ()
    mistakes: tuple[Path, ...] = ()
    reviews: tuple[str, ...] = ()
    name: str = choice("my-critic", "Name", "Name of the new model")
    network: CriticNetwork = field(default_factory=CriticNetwork)
    schedule: CriticSchedule = field(default_factory=CriticSchedule)
    install: Install = choice(
        "better", "Install", "Put the model among the installed: better, always, never"
    )
    machine: Machine = field(default_factory=Machine)

    def __post_init__(self) -> None:
        """Refuse values that do not go together."""
        if not self.data:
            raise ValueError(
                "Training needs at least one folder of 'images' and 'labels', or a table."
            )
        for model in self.reviews:
            check_name(model)
