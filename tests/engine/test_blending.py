"""Blending maps: RepMode's from its own output, MEDIAR's from MONAI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, strategies as st

from napari_ssp.engine import floored_gaussian_window, gaussian_window

if TYPE_CHECKING:
    from pathlib import Path


def test_repmodes_map(reference: Path) -> None:
    goldens = np.load(reference / "repmode_predict_shared.npz")
    for name in ("small_map", "exact_map"):
        result = gaussian_window(goldens[name].shape)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, goldens[name], rtol=1e-5, atol=1e-12)
    default = gaussian_window((32, 128, 128))
    np.testing.assert_allclose(default[:, 64, 64], goldens["default_map_z"], atol=1e-6)
    np.testing.assert_allclose(default[16, :, 64], goldens["default_map_y"], atol=1e-6)


@pytest.mark.parametrize("shape", [(512, 512), (32, 100), (16, 33, 64), (7,), (1, 1), (2, 3)])
def test_mediars_map_is_monais(shape: tuple[int, ...]) -> None:
    from monai.data.utils import compute_importance_map

    expected = compute_importance_map(shape, mode="gaussian", sigma_scale=0.125).numpy()
    result = floored_gaussian_window(shape)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-5)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=3).map(tuple))
def test_maps_are_positive_and_peak_at_their_centre(shape: tuple[int, ...]) -> None:
    original, floored = gaussian_window(shape), floored_gaussian_window(shape)
    assert original.min() > 0
    assert original[tuple(n // 2 for n in shape)] == original.max() == 1
    assert floored.min() >= np.float32(1e-3)
    np.testing.assert_array_equal(floored, np.flip(floored))


@pytest.mark.parametrize("shape", [(), (5, 0), (-1,)])
def test_bad_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        gaussian_window(shape)
