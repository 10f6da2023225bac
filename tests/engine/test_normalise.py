"""MEDIAR's preprocessing: the original's grey levels, and pictures on which it fails."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import skimage
from hypothesis import assume, given, strategies as st
from hypothesis.extra import numpy as hnp

from napari_ssp.engine import normalise
from napari_ssp.engine.normalise import GreyStatistics, normalise_block

if TYPE_CHECKING:
    from pathlib import Path

SAME_AS_ORIGINAL = (
    "skimage_cell.png",
    "skimage_ihc.png",
    "skimage_coins.png",
    "gen_u16_grey",
    "gen_u16_rgb",
    "gen_u8_rgba",
    "gen_u16_5ch",
    "gen_f32_signed",
    "gen_sparse",
    "gen_zstack",
)


def unit(levels: np.ndarray) -> np.ndarray:
    levels = levels.astype(np.float32)
    span = max(levels.max() - levels.min(), 1)
    channels = (levels - levels.min()) / np.float32(span)
    return np.stack([channels] * 3) if channels.ndim == 2 else np.moveaxis(channels, -1, 0)


def by_numpy(plane: np.ndarray) -> np.ndarray:
    """Follow the original step by step with numpy's own percentile."""
    channels = np.stack([plane] * 3, -1).astype(np.float32) if plane.ndim == 2 else plane
    low, high = np.percentile(channels[channels != 0], [0, 99.5]).tolist()
    assume(low < high)
    levels = ((np.clip(channels, low, high) - low) / (high - low) * 255).astype(np.uint8)
    return unit(levels)


@pytest.fixture(scope="module")
def goldens(reference: Path) -> dict[str, np.ndarray]:
    return dict(np.load(reference / "mediar_preprocess_shared.npz"))


@pytest.mark.parametrize("name", SAME_AS_ORIGINAL)
def test_equals_the_original(reference: Path, goldens: dict, name: str) -> None:
    if name.startswith("skimage_"):
        folder = next(iter(skimage.__path__))
        image = skimage.io.imread(f"{folder}/data/{name.removeprefix('skimage_')}")
    else:
        image = goldens[f"in_{name}"]
    result = normalise(image)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    if f"u8_{name}" in goldens:
        np.testing.assert_array_equal(result, unit(goldens[f"u8_{name}"]))
    facts = json.loads((reference / "mediar_shared.json").read_text())["preprocess"][name]
    assert hashlib.sha256(result.tobytes()).hexdigest() == facts["sha256"]


def test_a_third_channel_is_added_to_two(goldens: dict) -> None:
    result = normalise(goldens["in_gen_u16_2ch"])
    np.testing.assert_array_equal(result[:2], unit(goldens["u8_gen_u16_2ch"]))
    assert not result[2].any()


def test_two_values_stay_visible(goldens: dict) -> None:
    image = goldens["in_gen_one_value"]  # the original makes this blank
    np.testing.assert_array_equal(normalise(image)[0], image > 0)


@given(
    hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=40)),
    st.sampled_from([np.uint16, np.int32, np.float32, np.int64, np.float64]),
)
def test_every_type_gives_numpys_percentiles(image: np.ndarray, dtype: type) -> None:
    image.flat[:2] = 1, 60000
    image.flat[2:] //= 2
    expected = by_numpy(image)
    np.testing.assert_array_equal(normalise(image.astype(dtype)), expected)


@given(hnp.arrays(st.sampled_from([np.float32, np.float64, np.int64, np.uint64, bool]), (5, 6)))
def test_anything_stays_in_the_unit_interval(image: np.ndarray) -> None:
    result = normalise(image)
    assert result.shape == (3, 5, 6)
    assert result.min() >= 0
    assert result.max() <= 1
    finite = np.unique(np.nan_to_num(image)) if image.dtype.kind != "b" else np.unique(image)
    if finite.size == 1:
        assert not result.any()


@pytest.mark.parametrize("value", [0, 7, -3, 1e30, np.nan, np.inf, -np.inf])
def test_one_value_is_black(value: float) -> None:
    assert not normalise(np.full((4, 5), value)).any()


@pytest.mark.parametrize("dtype", [np.uint64, np.int64, np.float64])
def test_large_offsets_keep_their_contrast(dtype: type) -> None:
    steps = np.arange(256).reshape(16, 16)
    image = (steps + 2**40).astype(dtype)
    np.testing.assert_array_equal(normalise(image), normalise(steps + 1))


def test_the_largest_numbers_do_not_overflow() -> None:
    top = np.iinfo(np.uint64).max
    image = np.array([[0, top // 2], [top // 4 * 3, top]], np.uint64)
    np.testing.assert_allclose(normalise(image)[0], [[0, 0], [0.5, 1]], atol=0.01)
    wide = np.array([[-1.7e308, 0.0], [1e308, 1.7e308]])
    assert normalise(wide)[0, 0, 0] == 0
    assert normalise(wide)[0, 1, 1] == 1


@pytest.mark.parametrize("factor", [1e30, 1e39, 1e302, 3e305])
def test_large_floats_are_seen_as_small_ones_are(factor: float) -> None:
    image = np.arange(256.0).reshape(16, 16)
    np.testing.assert_allclose(normalise(image * factor), normalise(image), atol=0.01)


def test_gaps_are_black_and_infinities_are_ends() -> None:
    image = np.linspace(1, 200, 400).reshape(20, 20)
    broken = image.copy()
    broken[0, :3] = np.nan, np.inf, -np.inf
    result = normalise(broken)[0]
    assert result[0, 0] == 0
    assert result[0, 1] == 1
    assert result[0, 2] == 0
    assert np.abs(result - normalise(image)[0]).ravel()[3:].max() < 0.01


def test_rare_bright_pixels_on_a_flat_plane_stay_visible() -> None:
    image = np.full((30, 30), 5, np.uint8)
    image[3, 4] = 9
    np.testing.assert_array_equal(normalise(image)[0], image == 9)
    np.testing.assert_array_equal(normalise(image.astype(float))[0], image == 9)


def test_the_input_is_left_alone() -> None:
    image = np.array([[np.nan, 1.0], [2.0, np.inf]], np.float32)
    before = image.copy()
    normalise(image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("plane", "error", "words"),
    [
        (np.zeros(5), ValueError, r"shape \(5,\)"),
        (np.zeros((2, 3, 4, 5)), ValueError, r"shape \(2, 3, 4, 5\)"),
        (np.zeros((0, 5)), ValueError, r"shape \(0, 5\)"),
        (np.zeros((2, 2), complex), TypeError, "complex128"),
        (np.array([["a", "b"]]), TypeError, "dtype <U1"),
    ],
)
def test_bad_planes(plane: np.ndarray, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        normalise(plane)


def in_bands(plane: np.ndarray, height: int) -> np.ndarray:
    seen = GreyStatistics(plane.size)
    bands = [plane[y : y + height] for y in range(0, len(plane), height)]
    for band in bands:
        seen.add(band)
    return np.concatenate([normalise_block(band, seen.result()) for band in bands], axis=1)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_bands_give_what_the_whole_plane_gives(dtype: type, channels: int) -> None:
    rng = np.random.default_rng(1)
    plane = rng.gamma(2.0, 900.0, (57, 40, channels)).clip(0, 30000).astype(dtype)
    plane[:20] = plane[:20] > 900
    plane = plane[..., 0] if channels == 1 else plane
    np.testing.assert_array_equal(in_bands(plane, 9), normalise(plane))


def test_gaps_and_infinities_in_other_bands_count() -> None:
    plane = np.linspace(5, 200, 600).reshape(30, 20)
    plane[3, 3], plane[11, 4], plane[25, 5] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(in_bands(plane, 4), normalise(plane))


def test_drawn_values_keep_to_the_stated_error() -> None:
    plane = np.random.default_rng(2).normal(1000, 50, (400, 500))
    exact = GreyStatistics(plane.size)
    exact.add(plane)
    drawn = GreyStatistics(plane.size, most_sorted=2**14)
    for band in np.array_split(plane, 7):
        drawn.add(band)
    assert drawn.result().low == exact.result().low
    # Of 2**14 instead of 2**24 values, three standard errors are 32 times 0.005 percent.
    low, high = np.percentile(plane, [99.5 - 0.16, 99.5 + 0.16])
    assert low < drawn.result().high < high


@pytest.mark.parametrize("shift", [0, -20_000])
@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_wide_integers_are_counted_and_not_drawn(dtype: type, shift: int) -> None:
    rng = np.random.default_rng(3)
    signed = np.dtype(dtype).kind == "i"
    plane = (rng.gamma(2.0, 9000.0, (90, 80)).astype(np.int64) + shift * signed).astype(dtype)
    exact, counted = GreyStatistics(plane.size), GreyStatistics(plane.size, most_sorted=50)
    exact.add(plane)
    for band in np.array_split(plane, 4):
        counted.add(band)
    assert counted.result() == exact.result()


def test_integers_beyond_what_can_be_counted_are_drawn() -> None:
    plane = np.arange(1, 30_001).reshape(150, 200)
    plane[140, 7] = 2**40
    seen = GreyStatistics(plane.size, most_sorted=3000)
    for band in np.array_split(plane, 3):
        seen.add(band)
    found = seen.result()
    assert (found.least, found.most, found.low) == (1, 2**40, 1)
    assert found.high == pytest.approx(29_850, rel=0.02)
