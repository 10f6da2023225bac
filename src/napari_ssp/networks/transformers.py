"""Vision transformers of MONAI with the same weights in all its versions."""

from __future__ import annotations

from torch import nn


def without_cross_attention(network: nn.Module) -> nn.Module:
    """Take out what nothing is asked of: MONAI before 1.6 gives it weights in every block."""
    for module in network.modules():
        if hasattr(module, "cross_attn"):
            module.cross_attn = nn.Identity()
    return network
