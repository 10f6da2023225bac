"""Choice of the part of a network that learns, and low-rank corrections of layers (LoRA).

LoRA: E. J. Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, arXiv:2106.09685 (2021).
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_ssp.training.structures.new_structure import LastTaskGate

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Parts of a MEDIAR-Former by the names of their first level; None is all.
PARTS: dict[str, tuple[str, ...] | None] = {
    "all": None,
    "decoder": ("decoder", "cellprob_head", "gradflow_head"),
    "heads": ("cellprob_head", "gradflow_head"),
}
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def _corrected(module: nn.Module) -> torch.Tensor:
    weight: torch.Tensor = module.weight  # type: ignore[assignment]
    correction: torch.Tensor = module.up @ module.down  # type: ignore[operator]
    corrected: torch.Tensor = weight + correction.view_as(weight)
    return corrected


class LowRankConv2d(nn.Conv2d):
    """Convolution whose weight has a correction ``up @ down`` of low rank."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Convolve with the corrected weight."""
        output: torch.Tensor = self._conv_forward(input, _corrected(self), self.bias)
        return output


class LowRankLinear(nn.Linear):
    """Linear layer whose weight has a correction ``up @ down`` of low rank."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Multiply with the corrected weight."""
        return nn.functional.linear(input, _corrected(self), self.bias)


#: Layers that take a correction. A layer becomes the other class in place, and back.
_LOW_RANK: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: LowRankConv2d,
    nn.Linear: LowRankLinear,
}
_FULL_RANK = {low: full for full, low in _LOW_RANK.items()}


def _add_correction(module: nn.Module, rank: int) -> None:
    """Give a layer a correction, which is zero at first."""
    weight: torch.Tensor = module.weight.detach()  # type: ignore[union-attr,operator,assignment]
    rows, columns = len(weight), weight[0].numel()
    rank = min(rank, rows, columns)
    module.down = nn.Parameter(weight.new_empty(rank, columns))
    module.up = nn.Parameter(weight.new_zeros(rows, rank))
    nn.init.kaiming_uniform_(module.down, a=math.sqrt(5))
    module.__class__ = _LOW_RANK[type(module)]


@torch.no_grad()
def _merge_correction(module: nn.Module) -> None:
    module.weight.copy_(_corrected(module))  # type: ignore[union-attr,operator]
    del module.up, module.down
    module.__class__ = _FULL_RANK[type(module)]


def choose_trainable(network: nn.Module, trainable: str, rank: int = 8) -> None:
    """Freeze what is not to learn.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place. With ``"lora"`` it has more parameters until `plain` merges them.
    trainable : str
        One of `PARTS`, or ``"lora"``: a low-rank correction of every convolution and linear layer.
    rank : int
        Rank of the corrections.
    """
    if trainable == "lora":
        network.requires_grad_(False)
        for module in network.modules():
            if type(module) in _LOW_RANK:
                _add_correction(module, rank)
        return
    names = PARTS[trainable]
    if names is not None:
        network.requires_grad_(False)
        for name in names:
            network.get_submodule(name).requires_grad_(True)


def train_mode(network: nn.Module, keep_statistics: bool = False) -> None:
    """Put a network into training mode, what is frozen into evaluation mode.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place.
    keep_statistics : bool
        Leave the statistics of the batch normalisation as they are, as is done in any case as soon
        as anything is frozen: few images would spoil them for all others.
    """
    network.train()
    if not keep_statistics and all(parameter.requires_grad for parameter in network.parameters()):
        return
    for module in network.modules():
        learns = any(parameter.requires_grad for parameter in module.parameters())
        if isinstance(module, _NORMS) or not learns:
            module.eval()


def plain(network: nn.Module) -> nn.Module:
    """Copy of a network with its corrections merged into the weights, in evaluation mode."""
    merged = copy.deepcopy(network)
    for module in list(merged.modules()):
        if type(module) in _FULL_RANK:
            _merge_correction(module)
        if isinstance(module, LastTaskGate):
            module.restore()
    return merged.requires_grad_(True).eval()


def choose_rate(trainable: str, encoder: str, has_base: bool) -> float:
    """Highest learning rate that suits a network and what learns of it.

    From scratch 1e-3. Transformer encoders (``mit_``) go on from a base as published, 2e-5; small
    convolutional ones bear ten times as much. A smaller part that learns takes a higher rate.
    """
    if not has_base:
        return 1e-3
    factor = 0.1 if encoder.startswith("mit_") else 1.0
    return factor * {"all": 2e-4, "decoder": 5e-4, "heads": 2e-3, "lora": 1e-3}[trainable]


def learning_parameters(network: nn.Module) -> Sequence[nn.Parameter]:
    """Parameters that learn."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
