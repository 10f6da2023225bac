from __future__ import annotations

import numpy as np
import pytest

from napari_ssp.engine import compute_zoomed_shape, resample


@pytest.mark.parametrize("zoom", [0.4, 1.5, 3.0])
def test_a_smooth_image_survives_magnification_and_back(zoom: float) -> None:
    y, x = np.mgrid[:60, :80] / 20.0
    image = np.stack([np.sin(x), np.cos(y)]).astype(np.float32)
    there = resample(image, compute_zoomed_shape((60, 80), zoom))
    assert there.shape == (2, round(60 * zoom), round(80 * zoom))
    back = resample(there, (60, 80))
    assert np.abs(back - image)[:, 4:-4, 4:-4].max() < 0.03


def test_the_same_shape_changes_nothing() -> None:
    image = np.random.default_rng(0).random((3, 5, 7)).astype(np.float32)
    np.testing.assert_array_equal(resample(image, (5, 7)), image)


def test_mirrored_views_come_without_a_copy_of_their_stride() -> None:
    image = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    np.testing.assert_allclose(
        resample(image[:, :, ::-1], (6, 8)), resample(image, (6, 8))[:, :, ::-1], atol=1e-6
    )


def test_lengths_stay_at_least_one() -> None:
    assert compute_zoomed_shape((1, 7), 0.1) == (1, 1)
