"""Requests to train teachers and students, and to expand a student on images without labels."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Annotated

from napari_ssp.schema import OneOf, checked_dataclass, choice
from napari_ssp.service.requests import ModelName, Request
from napari_ssp.service.results import TrainedModel
from napari_ssp.service.training.requests import Install, Machine

VARIATIONS = ("published", "none")
MEASURES = ("mae", "mse")


@checked_dataclass(frozen=True)
class StudentNetwork:
    """Student that is made from scratch.

    Attributes
    ----------
    architecture, size, width, depth, heads
        As of :class:`~napari_ssp.networks.Student`.
    """

    architecture: Annotated[str, OneOf(("vit", "swin"))] = choice(
        "vit", "Network", "Kind of network: vit (ViTAutoEnc) or swin (SwinUNETR)"
    )
    size: int = choice(224, "Size", "Side of the images that it sees, in pixels", min=16, max=1024)
    width: int = choice(768, "Width", "Numbers of a patch", min=1, max=1024)
    depth: int = choice(12, "Depth", "Transformer blocks", min=1, max=24)
    heads: int = choice(12, "Heads", "Attention heads", min=1, max=64)


@checked_dataclass(frozen=True)
class TeacherNetwork:
    """Teacher that is made from scratch.

    Attributes
    ----------
    architecture, size, width, depth, heads
        As of :class:`~napari_ssp.networks.Teacher`.
    """

    architecture: Annotated[str, OneOf(("critic", "vit"))] = choice(
        "critic", "Network", "Kind of network: critic (convolutions) or vit"
    )
    size: int = choice(224, "Size", "Side of the images that it sees, in pixels", min=16, max=1024)
    width: int = choice(16, "Width", "Channels of the first level", min=1, max=1024)
    depth: int = choice(4, "Depth", "Levels", min=1, max=24)
    heads: int = choice(12, "Heads", "Attention heads of vit", min=1, max=64)


@checked_dataclass(frozen=True)
class PassSchedule:
    """Duration and speed of a training that is counted in passes; the defaults are published.

    Attributes
    ----------
    epochs : float or None
        Passes through the images at most, each of as many crops as there are images.
    steps : int or None
        Optimiser steps at most.
    minutes : float or None
        Training time at most. A run without it gives the same result wherever it is interrupted.
    learning_rate : float
        Of the first sixth of the run; it falls to a tenth from each sixth to the next.
    batch_size : int
        Crops in a batch.
    """

    epochs: float | None = choice(300.0, "Epochs", "Passes through the images at most", min=0.01)
    steps: int | None = choice(None, "Steps", "Optimiser steps at most", min=1)
    minutes: float | None = choice(None, "Minutes", "Training time at most", min=0.01)
    learning_rate: float = choice(
        1e-2, "Learning rate", "At first; a tenth from each sixth of the run on", min=1e-7, max=1
    )
    batch_size: int = choice(16, "Batch", "Crops in a batch", min=2, max=4096)

    def __post_init__(self) -> None:
        """Refuse a run without an end."""
        if self.minutes is None and self.epochs is None and self.steps is None:
            raise ValueError("Training without an end: give minutes, epochs or steps.")


@checked_dataclass(frozen=True)
class MaskRequest(Request[TrainedModel]):
    """What all trainings on masks have in common.

    Attributes
    ----------
    data : tuple of pathlib.Path
        Folders that hold ``images`` and ``masks`` (or ``labels``); CSV files with the columns image
        and label; what ``napari-ssp data prepare mitolab`` wrote. What is above 0 is inside, what
        is below 0 was not annotated.
    output : pathlib.Path
        Folder of the run and its model.
    validation : tuple of pathlib.Path
        As `data`; scored, nothing is learned from them. Empty takes what the data call ``val``,
        else sets a part of them aside.
    exclude : tuple of str
        Names, without suffix, of images to leave out.
    structure : str
        What was annotated.
    variation : str
        ``"published"``: crops are turned, sheared, blurred and brightened; ``"none"``.
    schedule : PassSchedule
    machine : Machine
        Their fields may be given by name in their place.
    """

    data: tuple[Path, ...]
    output: Path
    validation: tuple[Path, ...] = ()
    exclude: tuple[str, ...] = ()
    structure: str = choice("mitochondria", "Structure", "What was annotated")
    variation: Annotated[str, OneOf(VARIATIONS)] = choice(
        "published", "Variation", "How crops are varied: published or none"
    )
    schedule: PassSchedule = field(default_factory=PassSchedule, kw_only=True)
    machine: Machine = field(default_factory=Machine, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a training without data."""
        if not self.data:
            raise ValueError("Training needs at least one folder of 'images' and 'masks'.")


@checked_dataclass(frozen=True)
class TrainTeacherRequest(MaskRequest):
    """Train a teacher on corrupted masks, whose loss is known.

    Attributes
    ----------
    measure : str
        ``"mae"`` or ``"mse"`` of predicted and true losses is made small.
    network : TeacherNetwork
    """

    name: str = choice("my-teacher", "Name", "Name of the new model")
    measure: Annotated[str, OneOf(MEASURES)] = choice(
        "mae", "Measure", "Error of predicted losses that is made small: mae or mse"
    )
    network: TeacherNetwork = field(default_factory=TeacherNetwork, kw_only=True)
    install: Install = choice("better", "Install", "Put the model among the installed")


@checked_dataclass(frozen=True)
class TrainStudentRequest(MaskRequest):
    """Train a student on masks, alone (baseline) or together with a teacher (joint).

    Attributes
    ----------
    teacher : str or None
        Teacher that learns with the student; it is written beside the student.
    measure : str
        As of `TrainTeacherRequest`, of such a teacher.
    network : StudentNetwork
    """

    name: str = choice("my-student", "Name", "Name of the new model")
    teacher: ModelName | None = choice(
        None, "Teacher", "Teacher that learns together with the student [default: none]"
    )
    measure: Annotated[str, OneOf(MEASURES)] = choice(
        "mae", "Measure", "Error of predicted losses that is made small: mae or mse"
    )
    network: StudentNetwork = field(default_factory=StudentNetwork, kw_only=True)
    install: Install = choice("better", "Install", "Put the model among the installed")


@checked_dataclass(frozen=True)
class TrainExpansionRequest(MaskRequest):
    """Train a student further on images without labels, by what teachers think of its masks.

    Every batch of them comes with one of labelled images. After each pass the held-out images are
    scored; the run ends, and the best student comes back, as soon as a score falls.

    Attributes
    ----------
    base : str or None
        Student to start from.
    teachers : tuple of str
        One teacher, or a committee.
    unlabelled : tuple of pathlib.Path
        Folders of images, or images; of a stack each plane.
    weight : float
        Of the unlabelled images.
    slack : float
        By how much IoU and calibration error may be worse than the best so far.
    install : str
        ``"better"`` or ``"never"``: a student that is not better than its start is never installed.
    """

    name: str = choice("my-student", "Name", "Name of the new model")
    base: ModelName | None = choice(None, "Base model", "Student to start from")
    teachers: tuple[ModelName, ...] = field(default=(), kw_only=True)
    unlabelled: tuple[Path, ...] = field(default=(), kw_only=True)
    weight: float = choice(1.0, "Weight", "Of the unlabelled images", min=0.0, max=1000.0)
    slack: float = choice(
        0.0, "Slack", "How much worse held-out scores may be than the best", min=0.0, max=1.0
    )
    install: Annotated[str, OneOf(("better", "never"))] = choice(
        "better", "Install", "Put the model among the installed: better (than base) or never"
    )

    def __post_init__(self) -> None:
        """Refuse an expansion without what it needs."""
        super().__post_init__()
        needed = {
            "a base student": self.base,
            "a teacher": self.teachers,
            "unlabelled images": self.unlabelled,
        }
        missing = [words for words, given in needed.items() if not given]
        if missing:
            raise ValueError(f"An expansion needs {' and '.join(missing)}, too.")


MaskTraining = TrainTeacherRequest | TrainStudentRequest | TrainExpansionRequest
