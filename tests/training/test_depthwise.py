from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from napari_ssp.training.depthwise import learn_depthwise_in_float32


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 2, 1)
    )


def test_depthwise_gradients_are_those_of_float32_within_mixed_precision() -> None:
    plain, network = _network(), _network()
    learn_depthwise_in_float32(network)
    seen = torch.rand(2, 8, 16, 16)
    for part, mixed in ((plain[1], False), (network[1], True)):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            part(seen).square().sum().backward()
    assert torch.equal(network[1].weight.grad, plain[1].weight.grad)
    with torch.autocast("cpu", torch.bfloat16):
        first = network[0](torch.rand(2, 3, 16, 16))
        assert first.dtype == network[1](first).dtype == torch.bfloat16


def test_what_is_saved_stays_the_same() -> None:
    plain, network = _network(), _network()
    learn_depthwise_in_float32(network)
    learn_depthwise_in_float32(network)
    assert list(network.state_dict()) == list(plain.state_dict())
    seen = torch.rand(1, 3, 8, 8)
    assert torch.equal(copy.deepcopy(network)(seen), plain(seen))
    assert type(network[0]) is nn.Conv2d


@pytest.mark.parametrize("encoder", ["tu-tf_efficientnet_lite0", "mit_b0"])
def test_encoders_with_such_layers_learn(encoder: str) -> None:
    from napari_ssp.networks import MediarFormer

    network = MediarFormer(encoder, (16, 16, 16, 16), 16)
    learn_depthwise_in_float32(network)
    changed = [module for module in network.modules() if "depthwise" in type(module).__module__]
    assert changed
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.rand(1, 3, 64, 64)).float().square().mean().backward()
    learned = [module for module in changed if module.weight.grad is not None]
    assert len(learned) > 0.6 * len(changed), "the last level is not used with four"


def test_frozen_layers_stay_as_they_are() -> None:
    network = _network().requires_grad_(False)
    learn_depthwise_in_float32(network)
    assert {type(module) for module in network} == {nn.Conv2d}
