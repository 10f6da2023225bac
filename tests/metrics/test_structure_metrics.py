"""Voxel by voxel: the textbook, scikit-image's numbers, and what is undefined."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, strategies as st
from skimage.metrics import structural_similarity

from napari_ssp.metrics import STRUCTURE_METRICS, structure_metrics, structures


def volumes(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(2.0, 50.0, shape)
    return truth, 0.7 * truth + rng.normal(10, 30, shape)


def test_the_textbook_formulas() -> None:
    truth, prediction = volumes((9, 20, 31))
    found = structure_metrics(truth, prediction)
    assert tuple(found) == STRUCTURE_METRICS
    assert all(type(value) is float for value in found.values())
    error = prediction - truth
    assert found["mse"] == pytest.approx((error**2).mean(), rel=1e-12)
    assert found["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-12)
    assert found["r2"] == pytest.approx(1 - (error**2).mean() / truth.var(), rel=1e-10)
    expected = np.corrcoef(truth.ravel(), prediction.ravel())[0, 1]
    assert found["pcc"] == pytest.approx(expected, rel=1e-10)
    assert found["nrmse"] == pytest.approx(np.sqrt((error**2).mean()) / np.ptp(truth), rel=1e-12)


@pytest.mark.parametrize(
    ("shape", "window"),
    [((9, 20, 31), 7), ((7, 8, 9), 7), ((6, 20, 31), 5), ((3, 20, 31), 3), ((40, 33), 7)],
)
def test_similarity_is_that_of_scikit_image(shape: tuple[int, ...], window: int) -> None:
    truth, prediction = volumes(shape)
    expected = structural_similarity(truth, prediction, win_size=window, data_range=np.ptp(truth))
    assert structure_metrics(truth, prediction)["ssim"] == pytest.approx(expected, abs=1e-12)


def test_similarity_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, prediction = volumes((13, 29, 24))
    whole = structure_metrics(truth, prediction)
    monkeypatch.setattr(structures, "_SSIM_BLOCK", 5)
    monkeypatch.setattr(structures, "_SLAB_VOXELS", 50)
    parts = structure_metrics(truth, prediction)
    assert parts == pytest.approx(whole, rel=1e-10)


def test_very_thin_stacks_are_scored_plane_by_plane() -> None:
    truth, prediction = volumes((2, 20, 31))
    planes = [
        structural_similarity(t, p, data_range=np.ptp(truth))
        for t, p in zip(truth, prediction, strict=True)
    ]
    assert structure_metrics(truth, prediction)["ssim"] == pytest.approx(np.mean(planes))
    flat = structure_metrics(truth[:1], prediction[:1])
    assert flat == pytest.approx(structure_metrics(truth[0], prediction[0]))


@pytest.mark.parametrize("shape", [(1,), (1, 1, 1), (2, 2, 2), (1, 1, 5), (4,)])
def test_any_shape_has_scores(shape: tuple[int, ...]) -> None:
    truth, prediction = volumes(shape)
    found = structure_metrics(truth, prediction)
    assert found["mse"] == pytest.approx(((truth - prediction) ** 2).mean())
    assert np.isnan(found["ssim"]) == (max(shape) < 3)


def test_a_perfect_prediction() -> None:
    truth, _ = volumes((4, 10, 10))
    perfect = {"mse": 0, "mae": 0, "r2": 1, "pcc": 1, "ssim": 1, "nrmse": 0}
    assert structure_metrics(truth, truth) == pytest.approx(perfect)


@pytest.mark.parametrize("value", [0.0, 0.1, 7.3])
def test_what_is_undefined_is_nan(value: float) -> None:
    truth, _ = volumes((5, 10, 11))
    constant = np.full_like(truth, value)
    found = structure_metrics(constant, truth)
    assert {k for k, v in found.items() if np.isnan(v)} == {"r2", "pcc", "ssim", "nrmse"}
    found = structure_metrics(truth, constant)
    assert {k for k, v in found.items() if np.isnan(v)} == {"pcc"}
    assert found["r2"] <= 0
    both = structure_metrics(constant, constant)
    assert both["mse"] == 0
    assert np.isnan(both["r2"])


@given(st.floats(0.1, 50), st.floats(-100, 100))
def test_correlation_ignores_scale_and_offset(scale: float, offset: float) -> None:
    truth, prediction = volumes((3, 6, 7))
    found = structure_metrics(truth, scale * prediction + offset)
    assert found["pcc"] == pytest.approx(structure_metrics(truth, prediction)["pcc"], abs=1e-9)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.float16, np.float32])
def test_types_do_not_wrap(dtype: type) -> None:
    truth = np.arange(100).reshape(4, 5, 5).astype(dtype)
    prediction = truth[::-1].copy()
    expected = structure_metrics(truth.astype(float), prediction.astype(float))
    assert structure_metrics(truth, prediction) == expected


def test_masks_and_lists() -> None:
    assert structure_metrics([[True, False]], [[False, False]])["mse"] == 0.5
    with pytest.raises(TypeError, match="complex"):
        structure_metrics(np.ones(3, complex), np.ones(3))


def test_values_that_are_not_finite_are_counted() -> None:
    truth, prediction = volumes((3, 6, 7))
    prediction[0, 0, :2], prediction[2, 1, 3] = np.nan, np.inf
    with pytest.raises(ValueError, match="3 of 126 values of the prediction are NaN or infinite"):
        structure_metrics(truth, prediction)
    with pytest.raises(ValueError, match="of the truth"):
        structure_metrics(prediction, truth)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\) and the prediction \(3, 2\)"):
        structure_metrics(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="no voxels"):
        structure_metrics(np.ones((0, 3)), np.ones((0, 3)))


def test_huge_values_do_not_warn() -> None:
    truth = np.array([1e200, -1e200, 0.0, 1.0, 2.0])
    assert structure_metrics(truth, -truth)["mse"] == np.inf


def test_memory_stays_flat() -> None:
    truth = np.zeros((16, 512, 512), np.float32)
    truth[::2] = 1
    structure_metrics(truth[:2, :9, :9], truth[1:3, :9, :9])
    tracemalloc.start()
    structure_metrics(truth, truth)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 16 * 512 * 512 * 2
