"""What a critic sees of a plane and its labels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ssp.engine import critic_channels
from napari_ssp.engine.criticism.channels import CHANNELS, critic_zoom, labelled_plane

INSIDE, EDGE, DISTANCE, SIZE, SLOPE, CONTRAST = range(3, 9)


def _square(side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A bright square of 16 x 16 pixels in the middle."""
    labels = np.zeros((side, side), np.int32)
    labels[8:24, 8:24] = 7
    return (labels > 0) * 100 + 20, labels


def test_the_channels_of_a_square_are_those_that_are_known() -> None:
    image, labels = _square()
    found = critic_channels(image, labels)
    assert found.shape == (CHANNELS, 32, 32)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[INSIDE], labels > 0)
    assert found[EDGE].sum() == 4 * 15
    # 7 pixels from the boundary, over the radius of the disk of 256 pixels.
    assert found[DISTANCE, 15, 15] == pytest.approx(7 / np.sqrt(256 / np.pi))
    assert found[DISTANCE, 15, 4] == pytest.approx(-4 / np.sqrt(256 / np.pi))
    assert found[SIZE].max() == found[SIZE].min() == 0
    assert found[SLOPE, 15, 8] > 0.1
    np.testing.assert_allclose(found[CONTRAST], 0, atol=1e-6)


def test_a_dark_object_has_a_slope_of_the_other_sign() -> None:
    image, labels = _square()
    assert critic_channels(200 - image, labels)[SLOPE, 15, 8] < -0.1


def test_touching_objects_have_a_boundary_between_them() -> None:
    labels = np.ones((16, 16), np.int32)
    labels[:, 8:] = 2
    edge = critic_channels(np.zeros((16, 16)), labels)[EDGE]
    np.testing.assert_array_equal(np.flatnonzero(edge[3]), [7, 8])


def test_ids_do_not_matter() -> None:
    image, labels = _square()
    labels[:3, :3] = 2
    other = np.where(labels == 7, 10**9, np.where(labels == 2, 10**6, 0))
    np.testing.assert_array_equal(critic_channels(image, labels), critic_channels(image, other))


@pytest.mark.parametrize("value", [0, -1])
def test_no_object_gives_finite_channels(value: int) -> None:
    image, labels = _square()
    found = critic_channels(image, np.full_like(labels, value))
    assert np.isfinite(found).all()
    assert not found[INSIDE].any()


def test_colours_and_a_single_object_everywhere_are_finite() -> None:
    image = np.random.default_rng(0).integers(0, 255, (20, 24, 3), np.uint8)
    assert np.isfinite(critic_channels(image, np.ones((20, 24), np.uint16))).all()


def test_labels_of_another_shape_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match=r"Rows and columns are exchanged"):
        critic_channels(np.zeros((20, 30)), np.zeros((30, 20), int))
    with pytest.raises(ValueError, match=r"-2"):
        critic_channels(np.zeros((20, 30)), np.full((20, 30), -2))
    with pytest.raises(TypeError, match="mask"):
        critic_channels(np.zeros((20, 30)), np.zeros((20, 30), bool))


def test_the_magnification_follows_the_objects_that_fill_most_pixels() -> None:
    disks = np.full(20, round(np.pi * 14**2))
    assert critic_zoom(disks, 14.0) == pytest.approx(0.5, abs=0.01)
    specks = np.concatenate([disks, np.ones(500, int)])
    assert critic_zoom(specks, 14.0) == pytest.approx(0.5, abs=0.01)
    assert critic_zoom(np.array([4]), 14.0) == 1.0
    assert critic_zoom(np.array([10**6]), 14.0) == 0.25


def test_a_resized_plane_keeps_its_objects_in_place() -> None:
    image, labels = _square(64)
    half = labelled_plane(image, labels).resized((32, 32))
    assert half.image.shape == (3, 32, 32)
    np.testing.assert_array_equal(half.numbers > 0, labels[1::2, 1::2] > 0)
