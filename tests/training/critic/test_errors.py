"""True errors that a critic learns: of pixels, objects and images."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ssp.metrics import ErrorKind
from napari_ssp.training.critic.errors import error_targets, image_error, object_errors


def _pair() -> tuple[np.ndarray, np.ndarray]:
    truth, labels = np.zeros((10, 30), np.int32), np.zeros((10, 30), np.int32)
    truth[1:9, 1:9], truth[1:9, 11:19] = 1, 2
    labels[1:9, 1:7], labels[1:9, 21:29] = 5, 9  # three quarters found; invented; one missed
    return truth, labels


def test_objects_have_one_minus_their_best_overlap() -> None:
    np.testing.assert_allclose(object_errors(*_pair()), [0.25, 1.0])


def test_maps_show_kinds_and_the_error_of_each_object() -> None:
    truth, labels = _pair()
    maps, weights = error_targets(truth, labels)
    assert maps.shape == (7, 10, 30)
    np.testing.assert_array_equal(maps[ErrorKind.MISSED], truth == 2)
    np.testing.assert_array_equal(maps[ErrorKind.EXTRA], labels == 9)
    np.testing.assert_array_equal(maps[ErrorKind.BOUNDARY], (truth == 1) & (labels == 0))
    np.testing.assert_array_equal(maps[5], maps[:5].any(axis=0))
    np.testing.assert_allclose(maps[6], 0.25 * (labels == 5) + (labels == 9))
    assert weights[labels == 5].sum() == pytest.approx(1)
    assert weights[labels == 9].sum() == pytest.approx(1)
    assert weights[labels == 0].sum() == 0


def test_objects_where_nobody_annotated_do_not_count() -> None:
    truth, labels = _pair()
    truth[:, 20:] = -1
    errors = object_errors(truth, labels)
    assert errors[0] == pytest.approx(0.25)
    assert np.isnan(errors[1])
    maps, weights = error_targets(truth, labels)
    assert maps[:, :, 20:].max() == weights[:, 20:].max() == 0


def test_images_have_one_minus_panoptic_quality() -> None:
    # One pair of IoU 0.75, one extra and one missed: 0.75 / 2.
    assert image_error(*_pair()) == pytest.approx(1 - 0.375)
    nothing = np.zeros((5, 5), int)
    assert image_error(nothing, nothing) == 0
