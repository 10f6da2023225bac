from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
import torch

from napari_ssp.registry import load_model
from napari_ssp.training.adapting import (
    choose_rate,
    choose_trainable,
    learning_parameters,
    plain,
    train_mode,
)

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


def _step(network: nn.Module) -> None:
    train_mode(network)
    optimiser = torch.optim.SGD(learning_parameters(network), lr=0.1)
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network(x).square().mean().backward()
    optimiser.step()


def test_low_rank_corrections_change_nothing_at_first_and_merge_into_the_weights(
    tiny_model: Path,
) -> None:
    before = load_model(tiny_model)
    network = copy.deepcopy(before)
    choose_trainable(network, "lora", rank=2)
    network.eval()
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(network(x), before(x))
    total = sum(parameter.numel() for parameter in before.parameters())
    assert sum(parameter.numel() for parameter in learning_parameters(network)) < 0.1 * total
    _step(network)
    _step(network)
    merged = plain(network)
    assert set(merged.state_dict()) == set(before.state_dict())
    with torch.no_grad():
        network.eval()
        torch.testing.assert_close(merged(x), network(x))
        assert not torch.allclose(merged(x), before(x))
    for name, value in before.state_dict().items():
        if "running" in name or name.endswith("bias"):
            torch.testing.assert_close(merged.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("trainable", "parts"),
    [
        ("decoder", {"decoder", "cellprob_head", "gradflow_head"}),
        ("heads", {"cellprob_head", "gradflow_head"}),
    ],
)
def test_only_the_chosen_part_learns(tiny_model: Path, trainable: str, parts: set[str]) -> None:
    before = load_model(tiny_model)
    network = copy.deepcopy(before)
    choose_trainable(network, trainable)
    _step(network)
    changed = {
        name
        for name, value in before.state_dict().items()
        if not torch.equal(network.state_dict()[name], value)
    }
    assert {name.split(".")[0] for name in changed} == parts
    assert not [name for name in changed if "running" in name]


def test_all_learns_with_its_statistics(tiny_model: Path) -> None:
    before = load_model(tiny_model)
    network = copy.deepcopy(before)
    choose_trainable(network, "all")
    _step(network)
    changed = [
        name
        for name, value in before.state_dict().items()
        if not torch.equal(network.state_dict()[name], value)
    ]
    assert [name for name in changed if name.endswith("running_mean")]
    assert [name for name in changed if name.startswith("encoder")]


def test_transformers_go_on_with_the_published_rate() -> None:
    assert choose_rate("all", "mit_b5", has_base=True) == pytest.approx(2e-5)
    assert choose_rate("all", "mit_b5", has_base=False) == pytest.approx(1e-3)
    assert choose_rate("lora", "tu-resnet18d", True) > choose_rate("all", "tu-resnet18d", True)
