"""Batch normalisation folded into convolutions: the same outputs, or the network as it was."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from napari_ssp.engine.acceleration.folding import fold_batch_norm
from napari_ssp.networks import MediarFormer


def _trained(network: nn.Module) -> nn.Module:
    """Give normalisations statistics and weights as training leaves them."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    return network.eval()


def _normalisations(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


# Plain normalisation; timm's with an activation inside, after depthwise convolutions and after
# those that pad by themselves; and those of a transformer, most of which are of layers.
@pytest.mark.parametrize(
    ("encoder", "left"), [("tu-resnet18d", 2), ("tu-tf_efficientnet_lite0", 2), ("mit_b0", 2)]
)
def test_outputs_stay_and_only_the_heads_keep_theirs(encoder: str, left: int) -> None:
    # In float64, where rounding cannot hide a wrong factor.
    network = _trained(MediarFormer(encoder, (32, 16, 16, 16, 16)[-5:], 16)).double()
    probe, image = torch.rand(1, 3, 64, 64).double(), torch.rand(2, 3, 96, 64).double()
    folded = deepcopy(network)
    count = fold_batch_norm(folded, probe)
    assert _normalisations(folded) == left  # after Mish, so that no convolution can take it in
    assert count == _normalisations(network) - left
    with torch.inference_mode():
        expected, found = network(image), folded(image)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9 * float(expected.abs().max()))


class _Block(nn.Module):
    """Convolution and normalisation, put together in one way or another."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.conv, self.norm, self.way = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), way

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = self.conv(x)
        result: torch.Tensor = self.norm(seen)
        if self.way == "skip":  # somebody else sees what was not normalised
            result = result + seen
        elif self.way == "twice":  # the convolution is used again
            result = result + functional.relu(self.conv(x + 1))
        elif self.way == "by weight":  # its weights are, where no watching of modules shows it
            result = result + functional.conv2d(x, self.conv.weight, padding=1)
        elif self.way == "activation":
            result = self.norm(functional.relu(seen))
        return result


@pytest.mark.parametrize(
    ("way", "folds"),
    [("plain", 1), ("skip", 0), ("twice", 0), ("by weight", 0), ("activation", 0)],
)
def test_what_others_see_is_not_changed(way: str, folds: int) -> None:
    network = _trained(_Block(way))
    before, state = deepcopy(network), deepcopy(network.state_dict())
    assert fold_batch_norm(network, torch.rand(1, 3, 8, 8)) == folds
    x: Any = torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        torch.testing.assert_close(network(x), before(x))
    if not folds:
        torch.testing.assert_close(network.state_dict(), state, rtol=0, atol=0)
        assert not [hook for module in network.modules() for hook in module._forward_hooks]
