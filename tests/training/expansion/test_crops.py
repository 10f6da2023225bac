"""Crops, their masks and the loss of corrupted ones: repeatable, and the right pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from disks import disks

from napari_ssp.training.data import LabelledImage
from napari_ssp.training.expansion.batches import (
    CropSettings,
    ExpansionBatches,
    StudentBatches,
    TeacherBatches,
    draw_crops,
    true_loss,
)
from napari_ssp.training.expansion.variation import VARIATIONS, Variation, vary_crop

PLAIN = CropSettings(16, 4, 0, VARIATIONS["none"])


def _ramp(height: int, width: int) -> LabelledImage:
    """Image whose pixels say where they are, up to 255."""
    pixels = np.arange(height * width, dtype=np.uint8).reshape(1, height, width)
    return LabelledImage("ramp", pixels, np.where(pixels[0] % 2, 7, 0).astype(np.int32))


def test_a_plain_crop_shows_the_pixels_as_they_are() -> None:
    image = _ramp(12, 20)
    seen = set()
    for seed in range(40):
        pixels, mask = vary_crop(image, 8, VARIATIONS["none"], np.random.default_rng(seed))
        first = round(float(pixels[0, 0]) * 255)
        y, x = divmod(first, 20)
        assert np.array_equal(pixels, image.pixels[0, y : y + 8, x : x + 8] / np.float32(255))
        assert np.array_equal(mask, image.labels[y : y + 8, x : x + 8] > 0)
        seen.add((y, x))
    assert min(y for y, _ in seen) == 0
    assert max(y for y, _ in seen) == 4
    assert len(seen) > 20


def test_beyond_an_image_nothing_counts_and_all_is_black() -> None:
    pixels, mask = vary_crop(_ramp(4, 6), 8, VARIATIONS["none"], np.random.default_rng(0))
    inside = np.zeros((8, 8), bool)
    inside[2:6, 1:7] = True
    assert np.array_equal(mask >= 0, inside)
    assert not pixels[~inside].any()
    assert np.array_equal(pixels[inside].reshape(4, 6), _ramp(4, 6).pixels[0] / np.float32(255))


def test_masks_turn_with_their_image() -> None:
    """An image that is its own mask still is, however it was turned, sheared and mirrored."""
    labels = disks(3).labels
    image = LabelledImage("same", (labels * 255).astype(np.uint8)[None], labels)
    for seed in range(20):
        spatial = Variation(spatial_probability=1.0, raw_probability=0.0, crop_probability=0.5)
        pixels, mask = vary_crop(image, 24, spatial, np.random.default_rng(seed))
        sure = (np.abs(pixels - 0.5) > 0.49) & (mask >= 0)
        assert sure.mean() > 0.4
        assert np.array_equal(pixels[sure] > 0.5, mask[sure] == 1)


def test_other_light_leaves_masks_alone_and_stays_in_range() -> None:
    image = disks(1)
    light = replace(VARIATIONS["none"], raw_probability=1.0)
    plain, truth = vary_crop(image, 32, VARIATIONS["none"], np.random.default_rng(5))
    lit, mask = vary_crop(image, 32, light, np.random.default_rng(5))
    assert np.array_equal(mask, truth)
    assert not np.array_equal(lit, plain)
    assert np.abs(lit - plain).max() < 0.3
    assert lit.min() >= 0.0
    assert lit.max() <= 1.0


def test_steps_repeat_and_a_pass_shows_each_image_once() -> None:
    images = [disks(k) for k in range(8)]
    crops = CropSettings(32, 4, 3)
    for batches in (StudentBatches(images, crops), TeacherBatches(images, crops)):
        (first, *_), targets = batches(5)
        (again, *_), same = batches(5)
        assert torch.equal(first, again)
        assert all(torch.equal(a, b) for a, b in zip(targets, same, strict=True))
        assert not torch.equal(first, batches(6)[0][0])
    whole = CropSettings(32, 4, 3, VARIATIONS["none"])
    drawn = np.concatenate([draw_crops(images, whole, step)[0] for step in (0, 1)])
    names = {k for crop in drawn for k, im in enumerate(images)
             if np.array_equal(crop, im.pixels[0] / np.float32(255))}  # fmt: skip
    assert names == set(range(8))


def test_teachers_are_given_the_loss_of_each_mask() -> None:
    images = [disks(k) for k in range(6)]
    (pixels, masks), (losses,) = TeacherBatches(images, replace(PLAIN, side=32, size=16))(0)
    assert pixels.shape == masks.shape == (16, 1, 32, 32)
    assert losses.shape == (16,)
    crops, truth = draw_crops(images, replace(PLAIN, side=32, size=16), 0)
    assert np.array_equal(crops, pixels[:, 0])
    wanted = [true_loss(m, t) for m, t in zip(masks[:, 0].numpy(), truth, strict=True)]
    assert losses.tolist() == pytest.approx(wanted)
    whole = [np.array_equal(m, t) for m, t in zip(masks[:, 0].numpy(), truth, strict=True)]
    assert [loss == 0 for loss in losses.tolist()] == whole
    assert 0 < sum(whole) < 16, "some masks are left as they are"


def test_each_unlabelled_batch_comes_with_a_labelled_one() -> None:
    images, others = [disks(k) for k in range(4)], [disks(k) for k in range(10, 16)]
    (pixels,), (seen, truth, counted, labelled) = ExpansionBatches(images, others, PLAIN)(2)
    assert pixels.shape == (8, 1, 16, 16)
    assert torch.equal(seen, pixels)
    assert labelled.tolist() == [True] * 4 + [False] * 4
    assert counted[:4].all()
    assert not counted[4:].any(), "whatever labels they had"
    assert not truth[4:].any()
    (alone,), (mask, _) = StudentBatches(images, PLAIN)(2)
    assert torch.equal(pixels[:4], alone)
    assert torch.equal(truth[:4], mask)
