"""Maps of errors, pooled per object and per image."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ssp.engine.criticism.channels import labelled_plane
from napari_ssp.engine.criticism.pooling import (
    MISSED,
    OBJECT,
    WRONG,
    image_features,
    object_features,
)
from napari_ssp.metrics import ErrorKind
from napari_ssp.networks.critic import IMAGE_FEATURES, MAPS, OBJECT_FEATURES


def _two_objects() -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros((20, 40), np.int32)
    labels[4:12, 4:12], labels[2:18, 20:36] = 3, 9
    maps = np.zeros((len(MAPS), *labels.shape), np.float32)
    return labels, maps


def test_the_order_of_the_maps_is_that_of_the_kinds_of_error() -> None:
    assert tuple(kind.name.lower() for kind in ErrorKind) == MAPS[: len(ErrorKind)]
    assert (MAPS[MISSED], MAPS[WRONG], MAPS[OBJECT]) == ("missed", "wrong", "object")


def test_objects_have_the_means_of_the_maps_and_their_sizes() -> None:
    labels, maps = _two_objects()
    maps[OBJECT][labels == 9] = 0.75
    maps[WRONG][4:12, 4:8] = 1
    found = object_features(labelled_plane(np.zeros(labels.shape), labels), maps)
    assert found.shape == (2, OBJECT_FEATURES)
    np.testing.assert_allclose(found[:, OBJECT], [0, 0.75])
    np.testing.assert_allclose(found[:, WRONG], [0.5, 0])
    # Of the 28 boundary pixels, the left half of each row but the two columns inside.
    assert found[0, len(MAPS) + WRONG] == pytest.approx(14 / 28)
    sizes = np.log(np.array([64, 256]) / 160) / 2
    np.testing.assert_allclose(found[:, 14], sizes, rtol=1e-6)
    np.testing.assert_allclose(found[:, 17], 0)


def test_an_object_at_the_rim_says_so() -> None:
    labels = np.zeros((10, 10), np.int32)
    labels[0:4, 3:7] = 1
    maps = np.zeros((len(MAPS), 10, 10), np.float32)
    found = object_features(labelled_plane(labels, labels), maps)
    assert found[0, 17] == pytest.approx(4 / 12)


def test_an_image_counts_missed_area_outside_of_objects_only() -> None:
    labels, maps = _two_objects()
    maps[MISSED][0:2, 0:10] = 1  # 20 pixels of background
    maps[MISSED][5, 5] = 1  # inside of an object
    plane = labelled_plane(np.zeros(labels.shape), labels)
    found = image_features(plane, maps, np.array([0.1, 0.9]))
    assert found.shape == (IMAGE_FEATURES,)
    assert found[0] == pytest.approx(0.5)
    assert found[1] == pytest.approx(0.9)
    assert found[2] == pytest.approx(0.5)
    assert found[3] == pytest.approx(20 / (64 + 256 + 20))
    # One object of IoU 0.9 is found; the objects are two, and 20 / 160 of one is missed.
    assert found[5] == pytest.approx(1 - 0.9 / (2 + 20 / 160 / 2))
    assert found[7] == 0


def test_an_empty_image_is_right_unless_something_is_missed() -> None:
    labels, maps = _two_objects()
    plane = labelled_plane(np.zeros(labels.shape), np.zeros_like(labels))
    nothing = np.zeros(0, np.float32)
    assert image_features(plane, maps, nothing)[5] == 0
    maps[MISSED] = 1
    assert image_features(plane, maps, nothing)[5] == 1
    assert object_features(plane, maps).shape == (0, OBJECT_FEATURES)


def test_what_nobody_annotated_does_not_count() -> None:
    labels, maps = _two_objects()
    maps[MISSED][:, :4] = maps[WRONG][:, :4] = 1
    partly = labels.copy()
    partly[:, :4] = -1
    found = image_features(labelled_plane(np.zeros(labels.shape), partly), maps, np.zeros(2))
    assert found[3] == found[4] == found[6] == 0
