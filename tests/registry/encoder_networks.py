"""Networks of timm with weights of their own, of which pretrained files are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import timm
import torch

if TYPE_CHECKING:
    from torch import nn

SMALL = "test_efficientnet"


def full_network(name: str) -> nn.Module:
    """Network of timm with its classifier; statistics are not those of a new one."""
    torch.manual_seed(3)
    network = timm.create_model(name, pretrained=False)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()
