"""Prediction window by window: as MONAI and MEDIAR, cancellable, frugal, clear when it fails."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from skimage import data

from napari_ssp.engine import (
    TileSettings,
    floored_gaussian_window,
    gaussian_window,
    normalise,
    predict_stream,
    predict_tiles,
)
from napari_ssp.progress import Progress, run

if TYPE_CHECKING:
    from pathlib import Path


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def edge_sensitive(channels_out: int, dims: int) -> torch.nn.Module:
    """Return a network whose output depends on where a window ends, so that blending matters."""
    torch.manual_seed(0)
    layer = torch.nn.Conv2d if dims == 2 else torch.nn.Conv3d
    return layer(2, channels_out, 5, padding=2)


def twice(windows: torch.Tensor) -> torch.Tensor:
    return 2 * windows


class Limited:
    """A network with a device that holds so many pixels and no more."""

    def __init__(self, pixels: int, message: str = "CUDA out of memory. Tried to allocate") -> None:
        self.pixels, self.message, self.shapes = pixels, message, []

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        self.shapes.append(tuple(windows.shape))
        if windows.numel() > self.pixels:
            raise RuntimeError(self.message)
        return 2 * windows


@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize(
    ("spatial", "window", "overlap"),
    [
        ((70, 45), (32, 32), 0.6),
        ((20, 90), (32, 48), 0.25),
        ((33, 32), (32, 32), 0.0),
        ((11, 13), (32, 32), 0.5),
        ((1, 1), (8, 8), 0.5),
        ((12, 40, 21), (8, 16, 16), 0.5),
        ((5, 40, 21), (8, 16, 32), 0.6),
    ],
)
def test_equals_monai(
    spatial: tuple[int, ...], window: tuple[int, ...], overlap: float, batch_size: int
) -> None:
    from monai.inferers.utils import sliding_window_inference

    network, image = edge_sensitive(3, len(window)), noise(2, *spatial)
    settings = TileSettings(window, overlap, batch_size, importance=floored_gaussian_window)
    with torch.no_grad():
        expected = sliding_window_inference(
            torch.from_numpy(image)[None], window, batch_size, network, overlap, mode="gaussian"
        )[0]
    result = run(predict_tiles(network, image, settings))
    assert result.dtype == np.float32
    assert result.shape == (3, *spatial)
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, expected.numpy(), atol=1e-5)


def test_equals_monai_with_repmodes_map() -> None:
    from monai.inferers.utils import sliding_window_inference

    network, image, window = edge_sensitive(1, 3), noise(2, 20, 40, 37), (16, 32, 32)
    with torch.no_grad():
        expected = sliding_window_inference(
            torch.from_numpy(image)[None],
            window,
            4,
            network,
            0.5,
            roi_weight_map=torch.from_numpy(gaussian_window(window)),
        )[0]
    result = run(predict_tiles(network, image, TileSettings(window)))
    np.testing.assert_allclose(result, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("tiling", [1, 2])
def test_equals_mediar(reference: Path, tiling: int) -> None:
    from analytic_model import AnalyticModel

    name = "coins" if tiling == 1 else "coins2x2"
    golden = np.load(reference / "mediar_pipeline_shared.npz")
    image = normalise(np.tile(data.coins(), (tiling, tiling)))
    settings = TileSettings((512, 512), 0.6, importance=floored_gaussian_window)
    result = run(predict_tiles(AnalyticModel(), image, settings))
    expected = golden[f"{name}_analytic_base_out_every9"]
    np.testing.assert_allclose(result[:, ::9, ::9], expected, atol=2e-5)


def test_progress_counts_windows() -> None:
    steps = list(predict_tiles(twice, noise(1, 40, 40), TileSettings((16, 16), 0.5, 4)))
    assert steps == [Progress("windows", done, 16) for done in (0, 4, 8, 12, 16)]


@pytest.mark.parametrize(
    "array",
    [
        noise(3, 40, 30)[::-1, ::-1],
        noise(3, 40, 30).astype(np.float64),
        np.arange(3 * 40 * 30, dtype=np.uint16).reshape(3, 40, 30),
        np.broadcast_to(np.float32(1), (3, 40, 30)),
        torch.ones(3, 40, 30, requires_grad=True),
    ],
)
def test_any_kind_of_array(array: np.ndarray | torch.Tensor) -> None:
    values = array.detach().numpy() if isinstance(array, torch.Tensor) else array
    result = run(predict_tiles(twice, array, TileSettings((16, 16))))
    np.testing.assert_allclose(result, 2 * values.astype(np.float32), rtol=1e-5)


def test_half_precision_output_becomes_single() -> None:
    result = run(predict_tiles(torch.Tensor.half, noise(1, 9, 9), TileSettings((8, 8))))
    assert result.dtype == np.float32


def test_a_batch_is_one_window_on_a_processor() -> None:
    network = Limited(10**9)
    run(predict_tiles(network, noise(1, 40, 40), TileSettings((16, 16), 0.5)))
    assert [shape[0] for shape in network.shapes] == [1] * 16


def test_what_fits_is_remembered_for_the_next_plane() -> None:
    network, image = Limited(2 * 64 * 64), noise(1, 130, 130)
    settings = TileSettings((256, 256), 0.5, 4)
    for _ in range(2):
        result = run(predict_tiles(network, image, settings))
        np.testing.assert_allclose(result, 2 * image, rtol=1e-5)
    sizes = [(shape[0], shape[2]) for shape in network.shapes]
    tried = [(4, 256), (2, 256), (1, 256), (4, 128), (2, 128), (1, 128), (4, 64)]
    # An axis of 130 pixels has one window of 256, so the first batch holds a single one.
    assert [size for size in sizes if size[0] * size[1] ** 2 > 2 * 64 * 64] == [
        (1, 256),
        *tried[3:],
    ]


def test_windows_without_content_are_computed_once() -> None:
    torch.manual_seed(0)
    layer, computed = torch.nn.Conv2d(3, 3, 5, padding=2), []

    def network(windows: torch.Tensor) -> torch.Tensor:
        computed.append(windows)
        return layer(windows)

    image = np.zeros((3, 160, 160), np.float32)
    image[:, 70:90, 30:60] = np.random.default_rng(0).random((3, 20, 30))
    image[:, 128:] = 0.25
    settings = TileSettings((32, 32), 0.5, 7, importance=floored_gaussian_window)
    with torch.no_grad():
        everything = image + np.random.default_rng(1).random(image.shape).astype(np.float32) * 1e-9
        expected = run(predict_tiles(layer, np.nextafter(everything, np.float32(1)), settings))
    result = run(predict_tiles(network, image, settings))
    np.testing.assert_allclose(result, expected, atol=1e-6)
    seen = torch.cat(computed)
    single = [w for w in seen if all(len(channel.unique()) == 1 for channel in w)]
    assert sorted(float(w[0, 0, 0]) for w in single) == [0.0, 0.25]
    assert len(seen) < 81 / 2


def test_batch_is_halved_when_memory_is_short() -> None:
    network, image = Limited(2 * 16 * 16), noise(1, 40, 40)
    steps = predict_tiles(network, image, TileSettings((16, 16), 0.5, 8))
    done = [step.done for step in steps]
    assert done == list(range(0, 17, 2))
    assert [shape[0] for shape in network.shapes] == [8, 4, *[2] * 8]


@pytest.mark.parametrize(
    "message",
    [
        "MPS backend out of memory (MPS allocated: 8 GB)",
        "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_window_is_halved_when_one_is_too_large(message: str) -> None:
    network, image = Limited(2 * 64 * 64, message), noise(1, 200, 150)
    result = run(predict_tiles(network, image, TileSettings((256, 256), 0.5, 4)))
    np.testing.assert_allclose(result, 2 * image, rtol=1e-5)
    assert {shape[2:] for shape in network.shapes} == {(256, 256), (128, 128), (64, 64)}


def test_too_little_memory_is_said_with_numbers() -> None:
    network = Limited(0)
    with pytest.raises(MemoryError, match=r"'cpu'.*\(256, 256\).*\(64, 64\).*smaller model"):
        run(predict_tiles(network, noise(1, 300, 300), TileSettings((256, 256), 0.5, 2)))
    assert [s[0] for s in network.shapes] == [2, 1, 2, 1, 2, 1]


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        run(predict_tiles(Limited(0, "mat1 and mat2"), noise(1, 9, 9), TileSettings((8, 8))))


def test_closing_stops_the_network_and_leaves_the_thread_alone() -> None:
    network = Limited(10**9)
    outcome: list[bool] = []

    def work() -> None:
        steps = predict_tiles(network, noise(1, 64, 64), TileSettings((16, 16), 0.5, 2))
        next(steps)
        next(steps)
        outcome.append(torch.is_grad_enabled() and not torch.is_inference_mode_enabled())
        steps.close()
        outcome.append(torch.is_grad_enabled() and not torch.is_inference_mode_enabled())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert outcome == [True, True]
    assert len(network.shapes) == 1


def test_nan_is_an_error_that_names_the_window() -> None:
    def network(windows: torch.Tensor) -> torch.Tensor:
        return torch.where(windows == 7, torch.nan, windows)

    image = np.zeros((1, 40, 40), np.float32)
    image[0, 30, 3] = 7
    with pytest.raises(RuntimeError, match=r"NaN or infinite values in the window \[16:32, 0:16\]"):
        run(predict_tiles(network, image, TileSettings((16, 16), 0.0)))
    image[0, 30, 3] = np.inf
    with pytest.raises(RuntimeError, match="input, which is not finite itself"):
        run(predict_tiles(twice, image, TileSettings((16, 16), 0.0)))


def test_another_output_shape_is_an_error() -> None:
    pool = torch.nn.MaxPool2d(2)
    with pytest.raises(RuntimeError, match=r"\(1, 1, 4, 4\).*\(1, 1, 8, 8\)"):
        run(predict_tiles(pool, noise(1, 8, 8), TileSettings((8, 8))))


@pytest.mark.parametrize("shape", [(8, 8), (1, 2, 8, 8), (1, 0, 8), (0, 8, 8)])
def test_arrays_that_do_not_fit_the_window(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"has shape .* window of \(8, 8\) needs"):
        run(predict_tiles(twice, noise(*shape), TileSettings((8, 8))))


@pytest.mark.parametrize(
    ("window", "overlap", "batch_size"),
    [((), 0.5, 1), ((8, 0), 0.5, 1), ((8, 8), 1.0, 1), ((8, 8), 0.5, -1)],
)
def test_bad_settings(window: tuple[int, ...], overlap: float, batch_size: int) -> None:
    with pytest.raises(ValueError, match=r"must be at least 1|from 0 to below 1"):
        TileSettings(window, overlap, batch_size)


@pytest.mark.parametrize("shape", [(40, 9, 30), (8, 70, 16), (16, 16, 90)])
def test_a_stream_equals_the_whole_and_comes_in_parts(shape: tuple[int, int, int]) -> None:
    volume = torch.from_numpy(np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32))
    window = (8, 8, 16)
    settings = TileSettings(window, overlap=0.5, batch_size=3)
    expected = run(predict_tiles(_smooth, volume, settings))

    class Source:
        def __init__(self) -> None:
            self.shape = shape

        def read(self, tile: tuple[slice, ...]) -> torch.Tensor:
            return volume[(slice(None), *tile)]

    found, times, sizes = np.zeros_like(expected), np.zeros(shape, int), []

    def write(tile: tuple[slice, ...], block: torch.Tensor, is_more: bool) -> None:
        assert (times[tile] > 0).all() == (times[tile] > 0).any() == is_more
        found[(slice(None), *tile)] += block.numpy()
        times[tile] += 1
        sizes.append(block.numel())

    run(predict_stream(_smooth, Source(), settings, write))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert times.min() == 1
    assert max(sizes) < 0.5 * expected.size


def _smooth(windows: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool3d(windows, 3, 1, 1)
