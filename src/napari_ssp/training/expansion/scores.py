"""Scores of students and teachers on held-out images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import expit

from napari_ssp.engine import TileSettings, predict_tiles
from napari_ssp.metrics.calibration import reliability_table
from napari_ssp.metrics.ranking import spearman
from napari_ssp.progress import Progress
from napari_ssp.training.expansion.batches import CropSettings, TeacherBatches
from napari_ssp.training.expansion.variation import VARIATIONS
from napari_ssp.training.loop import SCORED
from napari_ssp.training.step import choose_precision

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from napari_ssp.metrics.calibration import ReliabilityTable
    from napari_ssp.progress import Steps
    from napari_ssp.training.data import LabelledImage
    from napari_ssp.training.scored_images import ScoredImages
    from napari_ssp.training.state import Preview

#: Scores that decide which weights are kept: intersection over union, and mean absolute error.
STUDENT_METRIC, TEACHER_METRIC = "iou", "mae"
#: Error of a student's calibration.
CALIBRATION = "ece"
#: Corrupted masks of each held-out image that a teacher is scored on, and their random numbers.
_CORRUPTED, _SEED = 16, 13


def score_student(
    student: nn.Module, images: ScoredImages[LabelledImage], side: int
) -> Steps[dict[str, float]]:
    """Scores of masks and their calibration, over the pixels of all images together.

    Yields
    ------
    Progress
        After every image; the first one's preview is the image with truth and prediction.

    Returns
    -------
    dict
        ``"accuracy"`` and ``"iou"`` at a probability of 0.5, ``"ece"`` and ``"mce"``. Without
        anything annotated or found the IoU is 1.
    """
    table, matches, either, right, count = None, 0, 0, 0, 0
    for done, image in enumerate(images, 1):
        probability = yield from predict_probability(student, image, side)
        counted = image.labels >= 0
        true, found = image.labels[counted] > 0, probability[counted] >= 0.5
        matches += int((true & found).sum())
        either += int((true | found).sum())
        right, count = right + int((true == found).sum()), count + true.size
        table = _added(table, reliability_table(probability[counted], true))
        yield Progress(
            SCORED, done, len(images), _preview(image, probability) if done == 1 else None
        )
    if table is None:
        return {}
    return {
        "iou": matches / either if either else 1.0,
        "accuracy": right / count if count else float("nan"),
        "ece": table.expected_calibration_error,
        "mce": table.maximum_calibration_error,
    }


def predict_probability(
    student: nn.Module, image: LabelledImage, side: int
) -> Steps[NDArray[np.float32]]:
    """Probability (Y, X) of being inside, in windows that overlap by a quarter."""
    device = next(student.parameters()).device

    def compute(windows: torch.Tensor) -> torch.Tensor:
        with choose_precision(device):
            logits: torch.Tensor = student(windows)
        return logits.float()

    settings = TileSettings((side, side), overlap=0.25, device=device)
    pixels = image.pixels.astype(np.float32) / np.float32(255)
    logits = yield from predict_tiles(compute, pixels, settings)
    found: NDArray[np.float32] = expit(logits[0])
    return found


def score_teacher(
    teacher: nn.Module, images: ScoredImages[LabelledImage], side: int
) -> Steps[dict[str, float]]:
    """Errors of predicted losses on the same corrupted masks of held-out images each time.

    Yields
    ------
    Progress
        After every image.

    Returns
    -------
    dict
        ``"mae"`` and ``"mse"`` in nats and their square, ``"spearman"`` of predicted and true loss.
    """
    predicted: list[float] = []
    true: list[float] = []
    device = next(teacher.parameters()).device
    crops = CropSettings(side, _CORRUPTED, _SEED, VARIATIONS["none"])
    for done, image in enumerate(images, 1):
        (pixels, masks), (losses,) = TeacherBatches([image], crops)(done)
        with torch.inference_mode(), choose_precision(device):
            found = teacher(pixels.to(device), masks.to(device)).float()
        predicted += found.cpu().tolist()
        true += losses.tolist()
        yield Progress(SCORED, done, len(images))
    if not true:
        return {}
    error = np.subtract(predicted, true)
    scores = {"mae": float(np.abs(error).mean()), "mse": float(np.square(error).mean())}
    return scores | {"spearman": spearman(predicted, true)}


def _added(table: ReliabilityTable | None, more: ReliabilityTable) -> ReliabilityTable:
    return more if table is None else table + more


def _preview(image: LabelledImage, probability: NDArray[np.float32]) -> Preview:
    pixels = np.array(image.pixels[0])
    return image.name, pixels, np.array(image.labels), (probability >= 0.5).astype(np.uint32)
