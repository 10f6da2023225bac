"""Plan of a training on masks: what it would do, and faults of its data and models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_ssp.io import image_stem, is_image_name, read_image
from napari_ssp.networks.arguments import check_arguments
from napari_ssp.registry import STUDENT, TEACHER, find_card
from napari_ssp.service.results import TrainingPlan
from napari_ssp.service.training.expansion.requests import (
    MaskRequest,
    TrainExpansionRequest,
    TrainStudentRequest,
    TrainTeacherRequest,
)
from napari_ssp.service.training.kind import TrainingPlanner
from napari_ssp.service.training.pair_sources import list_files
from napari_ssp.service.training.plan_words import describe_limits
from napari_ssp.service.training.segmentation.training_files import (
    TrainingFiles,
    find_pairs,
    set_aside,
    warn_of_pairs,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.registry import ModelCard


class UnlabelledFile(NamedTuple):
    """An image without labels, and the shape of all of it."""

    path: Path
    shape: tuple[int, ...]


@dataclass(frozen=True)
class MaskFiles:
    """Files of a training on masks.

    Attributes
    ----------
    pairs : TrainingFiles
        Images with masks: learned from, and scored.
    unlabelled : tuple of UnlabelledFile
        Images that a student is expanded on.
    """

    pairs: TrainingFiles
    unlabelled: tuple[UnlabelledFile, ...] = ()


def find_family_card(name: str, family: str) -> ModelCard:
    """Card of a student, or of a teacher.

    Raises
    ------
    FileNotFoundError
        When there is no such model.
    ValueError
        When it is of another family.
    """
    card = find_card(name)
    if card.family != family:
        raise ValueError(
            f"'{card.name}' is of the family '{card.family}', but a {family} is needed here. "
            f"Train one with 'napari-ssp train {family}'."
        )
    return card


def teacher_cards(request: MaskRequest) -> tuple[ModelCard, ...]:
    """Cards of the teachers of a request; they must see images of the student's size.

    Raises
    ------
    FileNotFoundError, ValueError
        As `find_family_card`, and when a size differs.
    """
    names: tuple[str, ...] = ()
    if isinstance(request, TrainExpansionRequest):
        names, size = request.teachers, _size(find_family_card(str(request.base), STUDENT))
    elif isinstance(request, TrainStudentRequest) and request.teacher is not None:
        names, size = (request.teacher,), request.network.size
    cards = tuple(find_family_card(name, TEACHER) for name in names)
    for card in cards:
        if _size(card) != size:
            raise ValueError(
                f"The teacher '{card.name}' sees images of {_size(card)} pixels and the student of "
                f"{size}. Choose two of the same size."
            )
    return cards


def _size(card: ModelCard) -> int:
    return int(card.network.get("size", 224))


def _base_card(request: MaskRequest) -> ModelCard | None:
    """Card of the student to start from; networks and teachers that do not fit are refused."""
    if isinstance(request, TrainTeacherRequest | TrainStudentRequest):
        family = TEACHER if isinstance(request, TrainTeacherRequest) else STUDENT
        check_arguments(family, network_arguments(request))
    teacher_cards(request)
    if isinstance(request, TrainExpansionRequest):
        return find_family_card(str(request.base), STUDENT)
    return None


def network_arguments(request: TrainTeacherRequest | TrainStudentRequest) -> dict[str, Any]:
    """Arguments of the network that is made from scratch."""
    names = ("architecture", "size", "width", "depth", "heads")
    return {name: getattr(request.network, name) for name in names}


def _find_files(request: MaskRequest, _base: ModelCard | None) -> MaskFiles:
    """Find all files and set the validation part aside; all problems are listed together."""
    files = find_pairs(request.data, request.validation, request.exclude)
    pairs = files if files.validation else set_aside(files)
    return MaskFiles(pairs, tuple(_find_unlabelled(request)))


def _find_unlabelled(request: MaskRequest) -> list[UnlabelledFile]:
    if not isinstance(request, TrainExpansionRequest):
        return []
    found = []
    for source in request.unlabelled:
        if not source.exists():
            raise FileNotFoundError(f"There are no unlabelled images at {source}.")
        files = list_files(source, is_image_name)[0] if source.is_dir() else [source]
        if not files:
            raise FileNotFoundError(f"The folder {source} holds no images.")
        found += [UnlabelledFile(path, read_image(path).shape) for path in files]
    return found


def _describe(request: MaskRequest, base: ModelCard | None, files: MaskFiles) -> TrainingPlan:
    pairs = files.pairs
    return TrainingPlan(
        _summary(request, base, files),
        tuple(warn_of_pairs(pairs)),
        tuple(pair.name for pair in pairs.training),
        tuple(pair.name for pair in pairs.validation),
        tuple(image_stem(file.path) for file in files.unlabelled),
        strip=pairs.strip,
    )


def _summary(request: MaskRequest, base: ModelCard | None, files: MaskFiles) -> str:
    pairs, names = files.pairs, [card.name for card in teacher_cards(request)]
    kind = "teacher" if isinstance(request, TrainTeacherRequest) else "student"
    start = f"'{base.name}'" if base else f"a {kind} from scratch"
    words = f"{len(pairs.training)} images with masks to train {start}"
    if files.unlabelled:
        words += f" and {len(files.unlabelled)} without"
    if names:
        does = "judged by" if base else "together with"
        words += f", {does} {', '.join(names)}"
    scored = "a strip of each" if pairs.strip else f"{len(pairs.validation)}"
    limits = describe_limits(
        minutes=request.schedule.minutes,
        epochs=request.schedule.epochs,
        steps=request.schedule.steps,
    )
    return f"{words}, {scored} for validation; {limits}."


MASK_PLANNER = TrainingPlanner(base_card=_base_card, find_files=_find_files, describe=_describe)
