"""Depthwise convolutions in float32: on a processor bfloat16 makes their gradients slow."""

from __future__ import annotations

import torch
from torch import nn


class _InFloat32(nn.Module):
    """Layer that takes no part in mixed precision; its output has the type of its input."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        with torch.autocast(input.device.type, enabled=False):
            output: torch.Tensor = super().forward(input.float())  # type: ignore[misc]
        return output.to(input.dtype)


#: Classes of layers with what becomes of them.
_KINDS: dict[type[nn.Module], type[nn.Module]] = {}


def learn_depthwise_in_float32(network: nn.Module) -> None:
    """Take the depthwise convolutions of a network out of mixed precision, in place.

    Their classes change, parameters and keys stay. Those whose weights do not learn stay as they
    are: their gradients are cheap.
    """
    for module in network.modules():
        is_depthwise = isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
        if is_depthwise and module.weight.requires_grad:  # type: ignore[union-attr]
            module.__class__ = _in_float32(type(module))


def _in_float32(kind: type[nn.Module]) -> type[nn.Module]:
    if issubclass(kind, _InFloat32):
        return kind
    if kind not in _KINDS:
        _KINDS[kind] = type(kind.__name__, (_InFloat32, kind), {"__doc__": kind.__doc__})
    return _KINDS[kind]
