from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_ssp.flows import labels_to_flows
from napari_ssp.progress import run
from napari_ssp.registry import ModelCard
from napari_ssp.training.data import LabelledImage, numbered
from napari_ssp.training.losses import segmentation_loss
from napari_ssp.training.segmentation.annotation import set_strip_aside, targets, without_outlines
from napari_ssp.training.segmentation.augmentation import (
    STRENGTHS,
    AugmentationSettings,
    augment_crop,
)
from napari_ssp.training.segmentation.recipe import score_known, score_segmentation


def _squares(size: int = 64) -> np.ndarray:
    labels = np.zeros((size, size), np.int32)
    for k, (y, x) in enumerate(((4, 4), (4, 40), (40, 4), (40, 40)), 1):
        labels[y : y + 16, x : x + 16] = k
    return labels


def test_negative_values_become_unknown() -> None:
    labels = np.array([[-1, 0, 7], [-5, 255, 9]], np.int32)
    assert numbered(labels).tolist() == [[-1, 0, 1], [-1, 3, 2]]
    assert numbered(labels.clip(0).astype(np.uint8)).tolist() == [[0, 0, 1], [0, 3, 2]]


def test_fully_annotated_labels_count_everywhere() -> None:
    flows, cells, counted = targets(_squares())
    np.testing.assert_array_equal(flows, labels_to_flows(_squares()))
    np.testing.assert_array_equal(cells, _squares() > 0)
    assert counted.all()


def test_flows_of_an_object_that_unknown_pixels_cut_do_not_count() -> None:
    labels = _squares()
    labels[:, :12] = -1  # cuts the objects 1 and 3 in half
    _, cells, counted = targets(labels)
    flows_count, cells_count = counted
    assert not flows_count[labels == 1].any()
    assert cells_count[labels == 1].all()
    assert cells[labels == 1].all()
    assert flows_count[labels == 2].all()
    assert flows_count[labels == 0].all()
    assert not counted[:, labels == -1].any()


def test_an_object_drawn_alone_in_unknown_pixels_counts() -> None:
    labels = np.where(_squares() == 1, 1, -1).astype(np.int32)
    _, _, counted = targets(labels)
    assert (counted == (labels == 1)).all()


def test_unknown_pixels_get_no_gradient() -> None:
    labels = _squares()
    labels[20:60, 30:] = -1
    flows, cells, counted = (torch.from_numpy(part.copy())[None] for part in targets(labels))
    output = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    output.requires_grad_()
    segmentation_loss(output, flows, cells, counted).backward()
    assert output.grad is not None
    gradient = output.grad[0].abs()
    assert (gradient[:, torch.from_numpy(labels < 0)] == 0).all()
    assert (gradient[2, torch.from_numpy(labels >= 0)] > 0).all()


def test_a_few_annotated_pixels_do_not_weigh_as_much_as_a_crop() -> None:
    output = torch.zeros(1, 3, 32, 32)
    counted = torch.zeros(1, 2, 32, 32, dtype=torch.bool)
    counted[:, :, 0, 0] = True
    cells = torch.ones(1, 32, 32)
    loss = segmentation_loss(output, torch.zeros(1, 2, 32, 32), cells, counted)
    assert float(loss) == pytest.approx(np.log(2) / (32 * 32 / 16))


def test_a_strip_is_set_aside_and_cut_objects_become_unknown() -> None:
    labels = np.zeros((120, 90), np.int32)
    for k in range(6):
        labels[20 * k + 2 : 20 * k + 16, 10:30] = k + 1
    labels[60:118, 50:80] = 7
    pixels = np.arange(120 * 90, dtype=np.uint32).reshape(1, 120, 90).astype(np.uint8)
    parts = set_strip_aside(LabelledImage("x", pixels, labels))
    assert parts is not None
    learned, scored = parts
    assert learned.labels.size + scored.labels.size == labels.size
    assert learned.labels.max() + scored.labels.max() < 7
    assert scored.labels.max() >= 1
    for part in parts:
        assert part.pixels.shape == (1, *part.labels.shape)
        assert set(np.unique(part.labels)) >= set(range(part.labels.max() + 1))
    whole = np.concatenate([part.labels.ravel() for part in parts])
    assert (whole != 0).sum() == (labels > 0).sum()


def test_no_strip_of_an_image_with_one_object() -> None:
    labels = np.zeros((120, 120), np.int32)
    labels[5:60, 5:60] = 1
    assert set_strip_aside(LabelledImage("x", np.zeros((1, 120, 120), np.uint8), labels)) is None


def test_outlines_become_background_but_not_of_small_objects() -> None:
    labels = _squares()
    labels[0:5, 25:30] = 5
    found = without_outlines(labels)
    assert (found[5:19, 5:19] == 1).all()
    assert (found[4, 4:20] == 0).all()
    assert (found == 5).sum() == 25
    assert without_outlines(np.full((30, 30), 3, np.int32)).all()


def test_crops_look_for_something_annotated_and_keep_what_is_unknown() -> None:
    labels = np.full((400, 400), -1, np.int32)
    labels[:200] = 0
    labels[20:40, 20:40] = 1
    image = LabelledImage("x", np.full((1, 400, 400), 9, np.uint8), labels)
    settings = AugmentationSettings(crop=64)
    crops = [augment_crop(image, settings, np.random.default_rng(k))[1] for k in range(12)]
    assert sum((crop >= 0).any() for crop in crops) >= 11
    assert min(crop.min() for crop in crops) == -1


def test_without_augmentation_a_crop_is_a_piece_of_the_image() -> None:
    labels = _squares()
    pixels = np.random.default_rng(0).integers(0, 255, (1, 64, 64)).astype(np.uint8)
    none = AugmentationSettings(**{**vars(STRENGTHS["none"]), "crop": 64})
    found, cropped = augment_crop(
        LabelledImage("x", pixels, labels), none, np.random.default_rng(1)
    )
    np.testing.assert_array_equal(cropped, labels)
    np.testing.assert_allclose(found[0], pixels[0] / 255, atol=1e-6)


class _Oracle(torch.nn.Module):
    """Answers with the flows and cells of known labels."""

    def __init__(self, labels: np.ndarray) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        flows = torch.from_numpy(5 * labels_to_flows(labels))
        cells = torch.from_numpy(np.where(labels > 0, 8.0, -8.0).astype(np.float32))
        self.answer = torch.cat([flows, cells[None]])[None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.answer


def test_objects_found_where_nobody_annotated_are_no_mistakes() -> None:
    found = _squares()
    truth = np.where(found == 4, -1, found)
    truth[36:, 36:] = -1
    pixels = np.random.default_rng(0).integers(0, 255, (1, 64, 64)).astype(np.uint8)
    card = ModelCard("oracle", "mediar", {}, "", window=(64, 64))
    scores = run(score_segmentation(_Oracle(found), [LabelledImage("x", pixels, truth)], card))
    assert scores["f1_0.50"] == 1.0
    strict = run(
        score_segmentation(_Oracle(found), [LabelledImage("x", pixels, np.maximum(truth, 0))], card)
    )
    assert strict["f1_0.50"] == pytest.approx(6 / 7)


def test_the_known_are_scored_with_their_loss_and_unknown_pixels_count_for_nothing() -> None:
    labels = _squares()
    pixels = np.random.default_rng(0).integers(0, 255, (1, 64, 64)).astype(np.uint8)
    card = ModelCard("oracle", "mediar", {}, "", window=(64, 64))
    whole = LabelledImage("x", pixels, labels)
    scores = run(score_known(_Oracle(labels), [whole], card))
    assert (scores["f1_0.50"], scores["f1_0.75"]) == (1.0, 1.0)
    assert scores["loss"] == pytest.approx(np.log1p(np.exp(-8.0)), rel=1e-3)
    missed = np.where(labels == 4, 0, labels)
    share = (labels == 4).mean()
    worse = run(score_known(_Oracle(missed), [whole, whole], card))
    assert worse["f1_0.50"] == pytest.approx(6 / 7)
    flows = 25 * share / 4  # unit flows, scaled by 5: half the square, mean of two axes
    assert worse["loss"] == pytest.approx(8 * share + flows, rel=0.01)
    masked = LabelledImage("x", pixels, np.where(labels == 4, -1, labels))
    known = run(score_known(_Oracle(missed), [masked], card))
    assert (known["f1_0.50"], known["loss"]) == (1.0, pytest.approx(scores["loss"], rel=1e-3))
