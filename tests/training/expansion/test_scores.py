"""Scores of students and teachers, as the published system records them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from disks import SIDE, disks

from napari_ssp.progress import run as drive
from napari_ssp.training.data import LabelledImage
from napari_ssp.training.expansion.batches import CropSettings, TeacherBatches
from napari_ssp.training.expansion.scores import score_student, score_teacher
from napari_ssp.training.expansion.variation import VARIATIONS
from napari_ssp.training.scored_images import ScoredImages

if TYPE_CHECKING:
    from pathlib import Path


class _Table(torch.nn.Module):
    """A network that gives the logit of each grey level."""

    def __init__(self, logits: np.ndarray) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.from_numpy(logits.astype(np.float32)))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.logits[(image * 255).round().long()]


def test_scores_are_those_of_the_reference(reference: Path) -> None:
    golden = json.loads((reference / "faafo_shared.json").read_text())["calibration"]
    rng = np.random.default_rng(0)
    z = rng.normal(0, 3, 20000)
    p = 1 / (1 + np.exp(-z))
    y = rng.random(20000) < p
    # In two images, whose pixels count together; 256 logits are as many as grey levels.
    levels = np.quantile(z, (np.arange(256) + 0.5) / 256)
    near = np.abs(z[:, None] - levels).argmin(axis=1).astype(np.uint8)
    halves = [
        LabelledImage("half", pixels[None], mask.astype(np.int32))
        for pixels, mask in zip(near.reshape(2, 100, 100), y.reshape(2, 100, 100), strict=True)
    ]
    scores = drive(score_student(_Table(levels), ScoredImages(halves), SIDE))
    assert scores["accuracy"] == pytest.approx(golden["accuracy"], abs=2e-3)
    assert scores["iou"] == pytest.approx(golden["iou"], abs=2e-3)
    assert scores["ece"] == pytest.approx(golden["ece"], abs=2e-3)
    assert scores["mce"] == pytest.approx(golden["mce"], abs=1e-2)


def test_only_what_was_annotated_is_scored() -> None:
    image = disks(0)
    logits = np.where(np.arange(256) > 110, 9.0, -9.0)
    half = np.where(np.arange(SIDE) < 16, image.labels, -1)
    true = image.pixels[0] > 110
    expected = (true & (image.labels > 0))[:, :16].sum() / (true | (image.labels > 0))[:, :16].sum()
    known = LabelledImage("half", image.pixels, half.astype(np.int32))
    scores = drive(score_student(_Table(logits), ScoredImages([known]), SIDE))
    assert scores["iou"] == pytest.approx(expected)
    unknown = LabelledImage("none", image.pixels, np.full_like(image.labels, -1))
    nothing = drive(score_student(_Table(logits), ScoredImages([unknown]), SIDE))
    assert np.isnan(nothing["accuracy"])
    empty = LabelledImage("empty", image.pixels * 0, np.zeros_like(image.labels))
    assert drive(score_student(_Table(logits), ScoredImages([empty]), SIDE))["iou"] == 1.0
    assert drive(score_student(_Table(logits), ScoredImages([]), SIDE)) == {}


class _Knows(torch.nn.Module):
    """A teacher that counts the mask's pixels, each for some loss."""

    def __init__(self) -> None:
        super().__init__()
        self.loss = torch.nn.Parameter(torch.tensor(0.25))

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.loss * mask.mean(dim=(1, 2, 3))


def test_teachers_are_scored_on_the_same_masks_each_time() -> None:
    images = [disks(k) for k in range(2)]
    scores = drive(score_teacher(_Knows(), ScoredImages(images), SIDE))
    errors = []
    for number, image in enumerate(images, 1):
        batches = TeacherBatches([image], CropSettings(SIDE, 16, 13, VARIATIONS["none"]))
        (_, masks), (losses,) = batches(number)
        errors += (0.25 * masks.mean(dim=(1, 2, 3)) - losses).tolist()
    assert scores["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    assert scores["mse"] == pytest.approx(np.square(errors).mean(), rel=1e-5)
    assert scores == drive(score_teacher(_Knows(), ScoredImages(images), SIDE))
