"""Plan of a critic's training: its images, their truth, and what models made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.io import image_stem, is_image_name
from napari_ssp.io.label_names import find_labels
from napari_ssp.networks.arguments import check_arguments
from napari_ssp.registry import CRITIC, list_cards
from napari_ssp.service.results import TrainingPlan
from napari_ssp.service.training.kind import TrainingPlanner
from napari_ssp.service.training.pair_sources import list_files
from napari_ssp.service.training.plan_words import describe_limits
from napari_ssp.service.training.requests import Crops
from napari_ssp.service.training.segmentation.masks import check_masks
from napari_ssp.service.training.segmentation.training_files import (
    TrainingFiles,
    find_pairs,
    set_aside,
    warn_of_pairs,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from napari_ssp.registry import ModelCard
    from napari_ssp.service.training.critic.requests import CriticSchedule, TrainCriticRequest
    from napari_ssp.service.training.segmentation.pairs import Pair


@dataclass(frozen=True)
class CriticFiles:
    """Files of a critic's training.

    Attributes
    ----------
    pairs : TrainingFiles
        Images with true labels: learned from, and scored.
    mistakes : tuple of dict
        Of each folder: stem of a label file to the file.
    """

    pairs: TrainingFiles
    mistakes: tuple[dict[str, Path], ...] = ()

    def of(self, pair: Pair) -> list[Path]:
        """Label files that models made of an image."""
        stem = image_stem(pair.image)
        found = (find_labels(stem, by_stem) for by_stem in self.mistakes)
        return [path for path in found if path is not None]


def critic_arguments(request: TrainCriticRequest, agreement: bool = False) -> dict[str, Any]:
    """Arguments of the network that is made from scratch, and whether flows are known."""
    network = request.network
    arguments = {"channels": list(network.channels), "object_diameter": network.object_diameter}
    return arguments | ({"agreement": True} if agreement else {})


def _no_base(request: TrainCriticRequest) -> None:
    """Refuse a network that cannot be; there is no base."""
    check_arguments(CRITIC, critic_arguments(request))


def _find_files(request: TrainCriticRequest, _base: ModelCard | None) -> CriticFiles:
    """Find all files and set the validation part aside; all problems are listed together."""
    files = find_pairs(request.data, request.validation, request.exclude)
    check_masks([*files.training, *files.validation], Crops())
    if not files.validation:
        files = _split(files)
    return CriticFiles(files, tuple(map(_labels_of, request.mistakes)))


def _split(files: TrainingFiles) -> TrainingFiles:
    """Set whole images aside: a model's labels of a strip would be those of the whole."""
    split = set_aside(files)
    if split.strip:
        raise ValueError(
            f"{len(files.training)} images are too few to set some aside for validation, by which "
            "a critic is calibrated. Give four or more, or some with --validation."
        )
    return split


def _labels_of(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {folder} of labels that a model made. Make one with "
            "'napari-ssp segment IMAGES -o FOLDER'."
        )
    return {image_stem(path): path for path in list_files(folder, is_image_name)[0]}


def _describe(
    request: TrainCriticRequest, _base: ModelCard | None, files: CriticFiles
) -> TrainingPlan:
    pairs = files.pairs
    made = sum(len(files.of(pair)) for pair in (*pairs.training, *pairs.validation))
    return TrainingPlan(
        f"{len(pairs.training)} images to train a critic from scratch, {made} label images that "
        f"models made of them and of {len(pairs.validation)} for validation; "
        f"{_limits(request.schedule)}.",
        tuple(_warnings(request, files)),
        tuple(pair.name for pair in pairs.training),
        tuple(pair.name for pair in pairs.validation),
    )


def _limits(schedule: CriticSchedule) -> str:
    words = [describe_limits(epochs=schedule.epochs, steps=schedule.steps)]
    if schedule.minutes is not None:
        words.insert(0, f"at most {schedule.minutes:g} minutes of learning, then one scoring")
    return ", ".join(filter(None, words))


def _warnings(request: TrainCriticRequest, files: CriticFiles) -> list[str]:
    pairs = files.pairs
    warnings = warn_of_pairs(pairs)
    if not any(files.of(pair) for pair in pairs.training):
        warnings.append(
            "Without labels that models made of these images the critic learns from planted faults "
            "alone, and trusts real mistakes too much. Name such labels with --mistakes."
        )
    installed = {card.name for card in list_cards()}
    unknown = [name for name in request.reviews if name not in installed]
    if unknown:
        warnings.append(
            f"Not installed here: {', '.join(unknown)}. The critic is for results of models with "
            "just these names; look for a slip of the pen in --reviews."
        )
    return warnings


CRITIC_PLANNER = TrainingPlanner(base_card=_no_base, find_files=_find_files, describe=_describe)
