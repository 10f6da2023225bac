"""Mirrored views and ensembles: MEDIAR's numbers, signs and weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from skimage import data

from napari_ssp.engine import (
    MEDIAR_VIEWS,
    TileSettings,
    View,
    average_networks,
    floored_gaussian_window,
    normalise,
    predict_tiles,
    predict_views,
)
from napari_ssp.progress import run

if TYPE_CHECKING:
    from pathlib import Path

MEDIAR = TileSettings((512, 512), 0.6, importance=floored_gaussian_window)


@pytest.fixture(scope="module")
def networks(shared_reference: Path) -> list[torch.nn.Module]:
    from analytic_model import AnalyticModel

    return [AnalyticModel(), AnalyticModel(sigma=6.0, threshold=0.4, drift=-0.15, shift=-2)]


@pytest.fixture(scope="module")
def facts(shared_reference: Path) -> dict[str, dict]:
    pipeline = json.loads((shared_reference / "mediar_shared.json").read_text())["pipeline"]
    return {case["name"]: case for case in pipeline}


@pytest.mark.parametrize("name", ["coins", "coins2x2"])
@pytest.mark.parametrize("mode", ["base", "tta", "ensemble", "ensemble_tta"])
def test_equals_mediar(
    shared_reference: Path, networks: list, facts: dict, name: str, mode: str
) -> None:
    times = 2 if name == "coins2x2" else 1
    image = normalise(np.tile(data.coins(), (times, times)))
    views = MEDIAR_VIEWS if mode.endswith("tta") else (View(),)
    network = average_networks(networks if mode.startswith("ensemble") else networks[:1])
    result = run(predict_views(network, image, MEDIAR, views))
    case = facts[f"{name}_analytic_{mode}"]
    np.testing.assert_allclose(result.mean(axis=(1, 2)), case["out_mean"], atol=1e-5)
    np.testing.assert_allclose(result.std(axis=(1, 2)), case["out_std"], atol=1e-5)
    goldens = np.load(shared_reference / "mediar_pipeline_shared.npz")
    key = f"{name}_analytic_{mode}_out_every3"
    if key in goldens:
        np.testing.assert_allclose(result[:, ::3, ::3], goldens[key], atol=2e-5)


@pytest.fixture(scope="module")
def tiny_networks(shared_reference: Path) -> list[torch.nn.Module]:
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
    shared_reference: Path, tiny_networks: list, mode: str
) -> None:
    views = (View(),) if mode == "base" else MEDIAR_VIEWS
    network = average_networks(tiny_networks[: 1 if mode == "base" else 2])
    result = run(predict_views(network, normalise(data.coins()), MEDIAR, views))
    goldens = np.load(shared_reference / "mediar_pipeline_shared.npz")
    golden = goldens[f"coins_tiny_{mode}_out_every4"]
    np.testing.assert_allclose(result[:, ::4, ::4], golden, atol=3e-4 * golden.std())


@pytest.mark.parametrize("view", MEDIAR_VIEWS)
def test_a_gradient_is_the_same_in_every_view(view: View) -> None:
    """A mirrored image has a mirrored gradient: undoing the view must restore the signs too."""
    image = np.random.default_rng(0).random((12, 17)).astype(np.float32)

    def gradient(grey: np.ndarray) -> np.ndarray:
        return np.stack([*np.gradient(grey), grey])

    np.testing.assert_allclose(view.undo(gradient(view.apply(image))), gradient(image), atol=1e-7)


def test_views_leave_their_arguments_alone() -> None:
    output = np.ones((3, 4, 4), np.float32)
    for view in MEDIAR_VIEWS:
        view.undo(view.apply(output))
    assert np.all(output == 1)


def test_progress_counts_all_views() -> None:
    image = np.zeros((3, 40, 16), np.float32)
    steps = list(predict_views(torch.nn.Identity(), image, TileSettings((16, 16), 0.5, 2)))
    assert [step.done for step in steps] == [0, 2, 4, 4, 6, 8, 8, 10, 12]
    assert {step.total for step in steps} == {12}


def test_closing_stops_within_a_view() -> None:
    calls = []

    def network(windows: torch.Tensor) -> torch.Tensor:
        calls.append(len(windows))
        return windows

    steps = predict_views(
        network, np.zeros((3, 40, 16), np.float32), TileSettings((16, 16), 0.5, 2)
    )
    next(steps)
    next(steps)
    steps.close()
    assert calls == [2]
    assert not torch.is_inference_mode_enabled()


def test_an_ensemble_is_the_mean() -> None:
    members = [lambda x: x, lambda x: 4 * x, lambda x: -2 * x]
    image = np.random.default_rng(0).random((1, 20, 20)).astype(np.float32)
    result = run(predict_tiles(average_networks(members), image, TileSettings((16, 16))))
    np.testing.assert_allclose(result, image, rtol=1e-5)
    assert average_networks(members[:1]) is members[0]


def test_nothing_to_average() -> None:
    with pytest.raises(ValueError, match="No network"):
        average_networks([])
    with pytest.raises(ValueError, match="No view"):
        run(predict_views(torch.nn.Identity(), np.zeros((1, 8, 8)), TileSettings((8, 8)), ()))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_images_one_pixel_thin_can_be_mirrored(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    output = run(predict_views(lambda x: x, image, TileSettings((16, 16))))
    assert output.shape == image.shape
