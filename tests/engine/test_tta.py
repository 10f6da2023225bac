"""Mirrored views and ensembles: MEDIAR's numbers, signs and weights."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from skimage import data

from napari_ssp.engine import (
    EIGHT_VIEWS,
    MEDIAR_VIEWS,
    TileSettings,
    View,
    average_networks,
    floored_gaussian_window,
    normalise,
    predict_tiles,
)
from napari_ssp.progress import run

if TYPE_CHECKING:
    from pathlib import Path

MEDIAR = TileSettings((512, 512), 0.6, importance=floored_gaussian_window)


@pytest.fixture(scope="module")
def networks() -> list[torch.nn.Module]:
    from analytic_model import AnalyticModel

    return [AnalyticModel(), AnalyticModel(sigma=6.0, threshold=0.4, drift=-0.15, shift=-2)]


@pytest.fixture(scope="module")
def facts(reference: Path) -> dict[str, dict]:
    pipeline = json.loads((reference / "mediar_shared.json").read_text())["pipeline"]
    return {case["name"]: case for case in pipeline}


@pytest.mark.parametrize("name", ["coins", "coins2x2"])
@pytest.mark.parametrize("mode", ["base", "tta", "ensemble", "ensemble_tta"])
def test_equals_mediar(reference: Path, networks: list, facts: dict, name: str, mode: str) -> None:
    times = 2 if name == "coins2x2" else 1
    image = normalise(np.tile(data.coins(), (times, times)))
    views = MEDIAR_VIEWS if mode.endswith("tta") else (View(),)
    network = average_networks(networks if mode.startswith("ensemble") else networks[:1])
    result = run(predict_tiles(network, image, replace(MEDIAR, views=views)))
    case = facts[f"{name}_analytic_{mode}"]
    np.testing.assert_allclose(result.mean(axis=(1, 2)), case["out_mean"], atol=1e-5)
    np.testing.assert_allclose(result.std(axis=(1, 2)), case["out_std"], atol=1e-5)
    goldens = np.load(reference / "mediar_pipeline_shared.npz")
    key = f"{name}_analytic_{mode}_out_every9"
    if key in goldens:
        np.testing.assert_allclose(result[:, ::9, ::9], goldens[key], atol=2e-5)


@pytest.fixture(scope="module")
def tiny_networks() -> list[torch.nn.Module]:
    from seeded_weights import seeded_state_dict

    from napari_ssp.networks import MediarFormer

    members = []
    for seed in (0, 1):
        network = MediarFormer("mit_b0", (64, 32, 16, 8, 8), 16).eval()
        values = seeded_state_dict(network, seed).items()
        network.load_state_dict({key: torch.as_tensor(value) for key, value in values})
        members.append(network)
    return members


@pytest.mark.parametrize("mode", ["base", "ensemble_tta"])
def test_equals_mediar_with_its_own_network(
    reference: Path, tiny_networks: list, mode: str
) -> None:
    views = (View(),) if mode == "base" else MEDIAR_VIEWS
    network = average_networks(tiny_networks[: 1 if mode == "base" else 2])
    result = run(predict_tiles(network, normalise(data.coins()), replace(MEDIAR, views=views)))
    goldens = np.load(reference / "mediar_pipeline_shared.npz")
    golden = goldens[f"coins_tiny_{mode}_out_every12"]
    np.testing.assert_allclose(result[:, ::12, ::12], golden, atol=3e-4 * golden.std())


def gradient(grey: torch.Tensor) -> torch.Tensor:
    return torch.stack([*torch.gradient(grey), grey])


@pytest.mark.parametrize("view", EIGHT_VIEWS)
def test_a_gradient_is_the_same_in_every_view(view: View) -> None:
    """A turned image has a turned gradient: undoing the view must restore signs and channels."""
    image = torch.rand(12, 17, generator=torch.Generator().manual_seed(0))
    restored = view.undo(gradient(view.apply(image[None])[0]))
    torch.testing.assert_close(restored, gradient(image))


def test_the_eight_views_differ() -> None:
    image = torch.arange(9.0).reshape(1, 3, 3)
    assert len({tuple(view.apply(image).flatten().tolist()) for view in EIGHT_VIEWS}) == 8
    assert EIGHT_VIEWS[:3] == MEDIAR_VIEWS


def test_views_leave_their_arguments_alone() -> None:
    output = torch.ones(3, 4, 4)
    for view in EIGHT_VIEWS:
        view.undo(view.apply(output))
    assert torch.all(output == 1)


def sloping(windows: torch.Tensor) -> torch.Tensor:
    """Neither mirrored, turned nor shifted windows give the same: a wrong place shows."""
    down = torch.linspace(0, 1, windows.shape[-2])[:, None]
    across = torch.linspace(0, 2, windows.shape[-1])
    first = windows[:, 0] * (down + across)
    return torch.stack([first, windows[:, 1] - down, windows[:, 2].cumsum(-1)], 1)


@pytest.mark.parametrize("shape", [(50, 70), (33, 20), (9, 61), (5, 7), (1, 1)])
@pytest.mark.parametrize("window", [(32, 32), (16, 24)])
@pytest.mark.parametrize("batch_size", [0, 5])
def test_views_together_equal_views_of_the_whole_image(
    shape: tuple[int, int], window: tuple[int, int], batch_size: int
) -> None:
    image = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    settings = TileSettings(window, 0.6, batch_size, importance=floored_gaussian_window)
    parts = [
        view.undo(torch.from_numpy(run(predict_tiles(sloping, view.apply(image), settings))))
        for view in EIGHT_VIEWS
    ]
    expected = torch.stack(parts).mean(0).numpy()
    result = run(predict_tiles(sloping, image, replace(settings, views=EIGHT_VIEWS)))
    np.testing.assert_allclose(result, expected, atol=2e-5)


def test_views_of_a_place_share_a_batch() -> None:
    shapes = []

    def network(windows: torch.Tensor) -> torch.Tensor:
        shapes.append(len(windows))
        return windows

    image = np.random.default_rng(0).random((3, 40, 16), np.float32)
    settings = TileSettings((16, 16), 0.5, 12, views=MEDIAR_VIEWS)
    steps = list(predict_tiles(network, image, settings))
    assert shapes == [12]
    assert [(step.done, step.total) for step in steps] == [(0, 12), (12, 12)]


def test_an_ensemble_is_the_mean() -> None:
    members = [lambda x: x, lambda x: 4 * x, lambda x: -2 * x]
    image = np.random.default_rng(0).random((1, 20, 20)).astype(np.float32)
    result = run(predict_tiles(average_networks(members), image, TileSettings((16, 16))))
    np.testing.assert_allclose(result, image, rtol=1e-5)


def test_networks_get_the_type_that_they_compute_in() -> None:
    seen = []

    def network(windows: torch.Tensor) -> torch.Tensor:
        seen.append((windows.dtype, windows.is_contiguous(memory_format=torch.channels_last)))
        return windows

    image = np.random.default_rng(0).random((3, 8, 8), np.float32)
    mean = average_networks([network, network], torch.bfloat16)
    result = run(predict_tiles(mean, image, TileSettings((8, 8))))
    assert seen == [(torch.bfloat16, True)] * 2
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, image, rtol=2**-8)


def test_nothing_to_average() -> None:
    with pytest.raises(ValueError, match="No network"):
        average_networks([])
    with pytest.raises(ValueError, match="No view"):
        TileSettings((8, 8), views=())


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_images_one_pixel_thin_can_be_mirrored(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    settings = TileSettings((16, 16), views=EIGHT_VIEWS)
    output = run(predict_tiles(lambda x: x, image, settings))
    assert output.shape == image.shape
