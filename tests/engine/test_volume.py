from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import ndimage

from napari_ssp.engine.predict import TileSettings, predict_stream
from napari_ssp.engine.tiling import Tile, choose_window, compute_resized_shape
from napari_ssp.engine.volume import Resampler, RunningStatistics, Statistics, VolumeSource


def _statistics(volume: np.ndarray) -> Statistics:
    running = RunningStatistics()
    for plane in volume:
        running.add(plane)
    return running.result()


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(2, 9)),
    offset=st.floats(-1e6, 1e6),
    seed=st.integers(0, 99),
)
def test_statistics_of_planes_are_those_of_the_volume(
    shape: tuple[int, int, int], offset: float, seed: int
) -> None:
    volume = offset + np.random.default_rng(seed).normal(size=shape)
    found = _statistics(volume)
    assert found.mean == pytest.approx(volume.mean(), rel=1e-9, abs=1e-9)
    assert found.deviation == pytest.approx(volume.std(), rel=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite_are_counted(bad: float) -> None:
    volume = np.ones((3, 4, 5))
    volume[1, 2, 3] = volume[2, 0, 0] = bad
    with pytest.raises(ValueError, match="2 voxels are NaN or infinite"):
        _statistics(volume)


@pytest.mark.parametrize("factor", [1e160, 1e302, 1e308])
def test_voxels_that_are_too_large_are_refused(factor: float) -> None:
    volume = np.random.default_rng(0).random((3, 4, 5)) * factor
    with pytest.raises(ValueError, match=r"too large to be normalised.*Divide"):
        _statistics(volume)


@pytest.mark.parametrize("value", [0, 7, 60_000, 1e30])
def test_a_constant_volume_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="nothing to predict from"):
        _statistics(np.full((2, 3, 4), value))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_block_equals_the_same_part_of_the_whole(data: st.DataObject) -> None:
    lengths = st.tuples(*[st.integers(1, 70)] * 3)
    shape, new_shape = data.draw(lengths), data.draw(lengths)
    order = data.draw(st.sampled_from([1, 3]))
    volume = np.random.default_rng(0).normal(size=shape)
    starts = [data.draw(st.integers(0, n - 1)) for n in new_shape]
    stops = [data.draw(st.integers(s + 1, n)) for s, n in zip(starts, new_shape, strict=True)]
    tile = tuple(slice(s, e) for s, e in zip(starts, stops, strict=True))
    resampler = Resampler(volume.__getitem__, shape, new_shape, order)
    whole = resampler.block(tuple(slice(0, n) for n in new_shape))
    np.testing.assert_allclose(resampler.block(tile), whole[tile], atol=1e-6)


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize(
    ("shape", "new_shape"),
    [
        ((32, 512, 512), (32, 256, 256)),
        ((64, 2048, 2048), (64, 700, 700)),
        ((600, 2048, 2048), (200, 4000, 4000)),
        ((1000, 9000, 9000), (100, 300, 300)),
    ],
)
def test_blocks_cover_the_grid_and_what_they_read_does_not_grow(
    shape: tuple[int, ...], new_shape: tuple[int, ...], order: int
) -> None:
    class Stop(Exception):
        pass

    read: list[int] = []

    def refuse(tile: tuple[slice, ...]) -> np.ndarray:
        read.append(math.prod(part.stop - part.start for part in tile))
        raise Stop

    resampler = Resampler(refuse, shape, new_shape, order)
    blocks = resampler.blocks()
    for tile in blocks:
        with pytest.raises(Stop):
            resampler.block(tile)
    sizes = [math.prod(part.stop - part.start for part in tile) for tile in blocks]
    assert sum(sizes) == math.prod(new_shape)
    assert max(sizes) <= 2**21
    # A spline reaches 17 voxels further on each side of blocks that are 32 to 64 voxels deep.
    assert max(read) <= (32 + 34) * (math.sqrt(2**21 / 32) + 34) ** 2


def test_statistics_of_a_large_plane_take_little_memory() -> None:
    plane = np.arange(1024 * 1024, dtype=np.uint16).reshape(1024, 1024)
    running = RunningStatistics()
    tracemalloc.start()
    try:
        running.add(plane)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 8 * 2**18  # four copies of a band in float64
    assert running.result().mean == pytest.approx(plane.mean())


def test_the_whole_equals_scipys_zoom() -> None:
    volume = np.random.default_rng(0).normal(size=(12, 50, 41))
    factors = (1.0, 0.37241, 1.7)
    expected = ndimage.zoom(volume, factors, order=3, mode="nearest")
    new_shape = compute_resized_shape(volume.shape, factors)
    assert new_shape == expected.shape
    whole = Resampler(volume.__getitem__, volume.shape, new_shape).block(
        tuple(slice(0, n) for n in new_shape)
    )
    np.testing.assert_allclose(whole, expected, atol=1e-9)


def test_z_score_and_resize_equal_repmode(reference: object) -> None:
    golden = np.load(reference / "repmode_predict_shared.npz")  # type: ignore[operator]
    raw, expected = golden["prep_raw"], golden["prep_zscore_resized"]
    resampler = Resampler(raw.__getitem__, raw.shape, expected.shape)
    source = VolumeSource(resampler, _statistics(raw), (1, 1, 1))
    found = source.read(source.inside)[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_margins_mirror_the_volume_and_lie_around_it() -> None:
    volume = np.arange(3 * 4 * 5, dtype=float).reshape(3, 4, 5)
    resampler = Resampler(volume.__getitem__, volume.shape, volume.shape)
    source = VolumeSource(resampler, Statistics(0.0, 1.0), (8, 16, 32), margin=8)
    assert source.shape == (8, 20, 32)  # y as the margins need, z and x as the window
    assert source.inside == (slice(2, 5), slice(8, 12), slice(13, 18))
    whole = source.read((slice(0, 8), slice(0, 20), slice(0, 32)))
    assert whole.dtype == torch.float32
    expected = np.pad(volume, ((2, 3), (8, 8), (13, 14)), mode="symmetric")
    np.testing.assert_array_equal(whole[0].numpy(), expected)


def test_a_network_that_pads_with_zeros_draws_no_line_along_the_rim() -> None:
    volume = np.random.default_rng(0).normal(5, 2, (2, 40, 50))
    resampler = Resampler(volume.__getitem__, volume.shape, volume.shape)
    source = VolumeSource(resampler, Statistics(5.0, 2.0), (2, 32, 32), margin=8)
    found = np.zeros(source.shape)

    def blur(windows: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool3d(windows, (1, 5, 5), 1, (0, 2, 2))

    def write(tile: Tile, block: torch.Tensor, is_more: bool) -> None:
        found[tile] = block[0].numpy() + is_more * found[tile]

    for _ in predict_stream(blur, source, TileSettings((2, 32, 32), 0.0), write):
        pass
    expected = ndimage.uniform_filter((volume - 5) / 2, (1, 5, 5), mode="reflect")
    rims = ((slice(None), [0, 1, -2, -1]), (slice(None), slice(None), [0, 1, -2, -1]))
    for rim in rims:  # inside, windows without overlap have rims of their own
        near = np.abs(found[source.inside][rim] - expected[rim])
        assert np.median(near) < 1e-5


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 1, 1), (16, 16, 16)),
        ((13, 500, 100), (16, 128, 112)),
        ((32, 128, 128), (32, 128, 128)),
        ((33, 129, 129), (32, 128, 128)),
    ],
)
def test_windows_are_no_larger_than_the_volume_needs(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert choose_window(shape, (32, 128, 128), 16) == expected
