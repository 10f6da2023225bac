"""Recipe of the dense critic: what a crop shows, the loss, and that batches are reproducible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.draw import disk

from napari_ssp.training.critic.recipe import (
    CriticBatches,
    CriticisedImage,
    CriticSettings,
    MadeLabels,
    critic_loss,
    make_sample,
)
from napari_ssp.training.data import LabelledImage

INSIDE = 3
SHOWN = CriticSettings(crop=32, object_diameter=16.0, zoom=(1.0, 1.0))


@pytest.fixture
def image() -> CriticisedImage:
    """Nine disks of 13 pixels, which are not magnified; a model has missed one."""
    labels = np.zeros((72, 72), np.int32)
    for number, (y, x) in enumerate(np.ndindex(3, 3), start=1):
        labels[disk((12 + 24 * y, 12 + 24 * x), 6.5, shape=labels.shape)] = number
    pixels = ((labels > 0) * 180 + 30).astype(np.uint8)[None]
    made = np.where(labels == 5, 0, labels)
    return CriticisedImage(LabelledImage("disks", pixels, labels), (MadeLabels(made),))


def test_true_labels_have_no_error(image: CriticisedImage) -> None:
    truth = replace(SHOWN, mistakes=0.0, faults=0.0)
    channels, maps, weights = make_sample(image, truth, np.random.default_rng(0))
    assert channels.shape == (9, 32, 32)
    assert maps.shape == (7, 32, 32)
    assert maps.max() == 0
    assert weights.max() > 0


def test_what_a_model_missed_is_in_the_map(image: CriticisedImage) -> None:
    made = replace(SHOWN, crop=96, mistakes=1.0, faults=0.0)
    channels, maps, _ = make_sample(image, made, np.random.default_rng(0))
    area = np.count_nonzero(image.image.labels == 5)
    assert maps[0].sum() == area
    assert channels[INSIDE][maps[0] > 0.9].max() == 0


def test_planted_faults_are_wrong(image: CriticisedImage) -> None:
    planted = replace(SHOWN, crop=96, mistakes=0.0, faults=1.0)
    wrong = [make_sample(image, planted, np.random.default_rng(k))[1][5].max() for k in range(4)]
    assert min(wrong) > 0.5


def test_the_same_step_gives_the_same_batch_in_parts(image: CriticisedImage) -> None:
    whole = CriticBatches([image], SHOWN, size=4, seed=3)
    (channels,), (maps, weights) = whole(7)
    assert channels.shape == (4, 9, 32, 32)
    assert weights.shape == (4, 32, 32)
    assert channels.dtype == maps.dtype == weights.dtype == torch.float32
    (again,), _ = whole(7)
    torch.testing.assert_close(again, channels)
    (second,), (of_second, _) = replace(whole, part=(1, 2))(7)
    torch.testing.assert_close(second, channels[1::2])
    torch.testing.assert_close(of_second, maps[1::2])


def test_the_loss_is_least_at_the_true_maps_and_counts_objects_alike() -> None:
    maps = torch.zeros(1, 7, 4, 4)
    maps[:, -1, 0] = 1.0  # an object of four pixels is all wrong
    weights = torch.zeros(1, 4, 4)
    weights[:, 0], weights[:, 1, 0] = 0.25, 1.0  # and one of one pixel is right
    right = torch.where(maps > 0, 9.0, -9.0)
    assert critic_loss(right, maps, weights) < 0.01
    large, small = right.clone(), right.clone()
    large[:, -1, 0], small[:, -1, 1, 0] = -9.0, 9.0
    torch.testing.assert_close(critic_loss(large, maps, weights), critic_loss(small, maps, weights))
