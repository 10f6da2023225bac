"""Plan of a training: what it would do, and faults of its data, before any is read."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_ssp.engine.tiling import compute_zoomed_shape
from napari_ssp.registry import find_card
from napari_ssp.service.results import DataSize, TrainingPlan
from napari_ssp.service.training.kind import TrainingPlanner
from napari_ssp.service.training.plan_words import (
    describe_limits,
    warn_in_parts,
    warn_long_scoring,
    warn_too_small,
)
from napari_ssp.service.training.segmentation.encoder_weights import describe_encoder
from napari_ssp.service.training.segmentation.masks import check_masks, warn_of_mask_files
from napari_ssp.service.training.segmentation.training_files import (
    TrainingFiles,
    find_pairs,
    set_aside,
    warn_of_pairs,
)
from napari_ssp.service.training.segmentation.workload import WORKLOAD, network_card
from napari_ssp.training.holdout import STRIP_SHARE, WHOLE_FROM, choose_holdout
from napari_ssp.training.scored_parts import divide_plane

if TYPE_CHECKING:
    from napari_ssp.registry import ModelCard
    from napari_ssp.service.training.requests import TrainRequest
    from napari_ssp.service.training.segmentation.pairs import Pair


def _describe(request: TrainRequest, base: ModelCard | None, files: TrainingFiles) -> TrainingPlan:
    return TrainingPlan(
        _summary(request, files),
        tuple(_warnings(request, files, base)),
        tuple(pair.name for pair in files.training),
        tuple(pair.name for pair in files.validation),
        tuple(pair.name for pair in files.replay),
        strip=files.strip,
        size=_size(request, base, files),
    )


def _zoom(request: TrainRequest, base: ModelCard | None) -> float:
    return request.crops.zoom or (base.zoom if base else 1.0)


def _size(request: TrainRequest, base: ModelCard | None, files: TrainingFiles) -> DataSize:
    shapes = tuple(pair.shape for pair in files.training)
    scored = [_strip(shape) for shape in shapes]
    if not files.strip:
        scored = [pair.shape for pair in files.validation]
    zoom, window = _zoom(request, base), network_card(request, base).window
    seen = (compute_zoomed_shape(shape, zoom) for shape in scored)
    return DataSize(shapes, float(sum(math.prod(map(max, shape, window)) for shape in seen)))


def base_card(request: TrainRequest) -> ModelCard | None:
    """Card of the model to start from, or None.

    Raises
    ------
    FileNotFoundError
        When there is no such model.
    ValueError
        When no cells can be learned from it.
    """
    if request.base is None:
        return None
    card = find_card(request.base)
    if card.family != "mediar" or card.members:
        reason = "is an average of models" if card.members else "predicts structures"
        raise ValueError(
            f"'{card.name}' {reason}, so no cells can be learned from it. Choose a "
            "base model of the family 'mediar'."
        )
    return card


def find_files(request: TrainRequest) -> TrainingFiles:
    """Find all files of a training and set the validation part aside.

    Raises
    ------
    FileNotFoundError, ValueError
        When data cannot be used; all problems are listed together.
    """
    files = find_pairs(request.data, request.validation, request.exclude, request.forgetting.replay)
    check_masks([*files.training, *files.validation, *files.replay], request.crops)
    if request.base:
        replay, known = _known(files.replay)
        files = replace(files, replay=replay, known=known)
    return files if files.validation else set_aside(files)


def _known(replay: tuple[Pair, ...]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Which replayed images are mixed in and which are scored; of few all are both."""
    if len(replay) < WHOLE_FROM:
        return replay, replay
    chosen = choose_holdout(len(replay), _MOST_KNOWN)
    mixed_in = tuple(pair for k, pair in enumerate(replay) if k not in chosen)
    return mixed_in, tuple(pair for k, pair in enumerate(replay) if k in chosen)


def _summary(request: TrainRequest, files: TrainingFiles) -> str:
    start = f"from '{request.base}'" if request.base else "from scratch"
    if files.strip:
        check = "a strip of each is set aside for validation"
    else:
        check = f"{len(files.validation)} for validation"
        check += ", set aside by itself" if files.chosen_by_us else ""
    words = (
        f"{_images(len(files.training))} to learn {start} ({request.forgetting.trainable}), {check}"
    )
    if files.replay:
        share = request.forgetting.replay_share
        words += f", {share:.0%} of each batch from {_images(len(files.replay))}"
    if files.known:
        words += f", {_images(len(files.known))} to see what is forgotten"
    encoder = describe_encoder(request)
    words += f", {encoder}" if encoder else ""
    limits = describe_limits(
        minutes=request.schedule.minutes,
        epochs=request.schedule.epochs,
        steps=request.schedule.steps,
    )
    return f"{words}; {limits}."


def _images(count: int) -> str:
    return f"{count} image{'s' * (count != 1)}"


def _warnings(request: TrainRequest, files: TrainingFiles, card: ModelCard | None) -> list[str]:
    warnings = warn_of_pairs(files)
    masks = warn_of_mask_files((*files.training, *files.validation, *files.replay), request.crops)
    if masks:
        warnings.append(masks)
    narrow = [p.name for p in files.training if files.strip and max(p.shape) < 2 * _NARROWEST]
    if narrow:
        warnings.append(warn_too_small(narrow))
    warnings += _scoring_warnings(request, files, card)
    if card is not None and not files.replay and request.forgetting.trainable == "all":
        warnings.append(
            "Without replayed images the model may forget what its base knows. Name images that "
            "the base does well, or train less of it ('lora')."
        )
    return warnings


def _scoring_warnings(
    request: TrainRequest, files: TrainingFiles, base: ModelCard | None
) -> list[str]:
    """Say what is scored of images that are too large for one look."""
    if request.schedule.minutes is None:
        pixels = _size(request, base, files).scored
        return [warn_long_scoring(pixels)] if pixels > _MUCH_TO_SCORE else []
    shapes = [(p.name, p.shape) for p in files.validation]
    if files.strip:
        shapes = [(p.name, _strip(p.shape)) for p in files.training]
    large = [name for name, shape in shapes if divide_plane(shape, _zoom(request, base))]
    return [warn_in_parts(large)] if large else []


def _strip(shape: tuple[int, int]) -> tuple[int, int]:
    """Shape of the strip that is set aside, taken to lie along the longer side."""
    return max(shape), round(STRIP_SHARE * min(shape))


#: Pixels of validation images that take long to score.
_MUCH_TO_SCORE = 64e6
#: Least width of a strip, in pixels.
_NARROWEST = 32
#: Replayed images that are scored, at most.
_MOST_KNOWN = 32


SEGMENTATION_PLANNER = TrainingPlanner(
    base_card=base_card,
    find_files=lambda request, base: find_files(request),
    describe=_describe,
    workload=WORKLOAD,
)
