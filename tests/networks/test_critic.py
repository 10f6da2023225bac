"""DenseCritic: its output, its limits, and that a card brings it back with its heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_ssp.networks import DenseCritic
from napari_ssp.networks.critic import IMAGE_FEATURES, MAPS, OBJECT_FEATURES
from napari_ssp.registry import ERRORS, ModelCard, load_model, save_model

if TYPE_CHECKING:
    from pathlib import Path


def test_each_pixel_has_a_logit_for_each_map() -> None:
    critic = DenseCritic(channels=(4, 8)).eval()
    out = critic(torch.zeros(2, 9, 16, 24))
    assert out.shape == (2, len(MAPS), 16, 24)
    assert critic.object_head(torch.zeros(5, OBJECT_FEATURES)).shape == (5,)
    assert critic.image_head(torch.zeros(1, IMAGE_FEATURES)).shape == (1,)


def test_the_default_is_small() -> None:
    assert sum(p.numel() for p in DenseCritic().parameters()) < 1_000_000


def test_a_size_that_does_not_fit_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="multiples of 8, got 20 x 16; pad"):
        DenseCritic()(torch.zeros(1, 9, 20, 16))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": [16]}, "2 to 6"),
        ({"channels": [16, 10**6]}, "1 to 512"),
        ({"in_channels": 0}, "1 to 64"),
        ({"object_diameter": 1e9}, "4 to 128"),
        ({"object_diameter": "14"}, "4 to 128"),
        ({"agreement": 1}, "true and false"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DenseCritic(**arguments)


def test_a_card_brings_a_critic_back_with_its_heads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    critic = DenseCritic(channels=(4, 8), object_diameter=20.0).eval()
    critic.object_head.mean.uniform_()
    network = {"channels": [4, 8], "object_diameter": 20.0}
    card = ModelCard("small-critic", "critic", network, "", tasks=("errors",))
    written = save_model(critic, card, tmp_path / "small-critic", torch.float32)
    assert written.makes == ERRORS
    loaded = load_model(tmp_path / "small-critic")
    assert isinstance(loaded, DenseCritic)
    assert loaded.object_diameter == 20.0
    features = torch.rand(3, OBJECT_FEATURES)
    torch.testing.assert_close(loaded.object_head(features), critic.object_head(features))
