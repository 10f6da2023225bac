"""Batch normalisation folded into the convolutions before it: fewer passes over memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

#: Largest difference of an output, in parts of the largest output; rounding makes some 1e-6.
TOLERANCE = 1e-4
#: What is asked of a tensor without computing with it.
_QUESTIONS = ("__get__", "dim", "size", "is_floating_point", "stride", "is_contiguous")


@dataclass(frozen=True)
class _Pair:
    """A convolution, and the normalisation that alone sees its output."""

    conv: nn.Conv2d
    name: str
    norm: nn.BatchNorm2d


def fold_batch_norm(network: nn.Module, probe: torch.Tensor) -> int:
    """Fold the normalisations of a network into its convolutions, where that changes no output.

    Which convolution a normalisation follows, and that nothing else sees what it puts out, is found
    by watching a forward pass. Afterwards the outputs are compared, and where they differ by more
    than `TOLERANCE` of the largest one the network stays as it was.

    Parameters
    ----------
    network : torch.nn.Module
        In float32 and evaluation mode; it is changed, so it must not be stored or trained.
    probe : torch.Tensor
        Float32 input for the passes.

    Returns
    -------
    int
        How many were folded.
    """
    with torch.no_grad():
        before = network(probe)
        pairs = _find_pairs(network, probe)
        states = [(pair.conv.weight, pair.conv.bias) for pair in pairs]
        for pair in pairs:
            _fold(network, pair)
        difference = (network(probe) - before).abs().max()
        if difference <= TOLERANCE * before.abs().max():
            return len(pairs)
    for pair, (weight, bias) in zip(pairs, states, strict=True):
        pair.conv.weight, pair.conv.bias = weight, bias
        network.set_submodule(pair.name, pair.norm)
    return 0


def _fold(network: nn.Module, pair: _Pair) -> None:
    fused = fuse_conv_bn_eval(pair.conv, pair.norm)
    pair.conv.weight, pair.conv.bias = fused.weight, fused.bias
    network.set_submodule(pair.name, _rest(pair.norm))


def _rest(norm: Any) -> nn.Module:
    """Return what a normalisation does besides; timm's have an activation inside."""
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    return nn.Sequential(norm.drop, norm.act)


def _is_norm(module: nn.Module) -> bool:
    kind = type(module)
    is_timm = kind.__name__ == "BatchNormAct2d" and kind.__module__.startswith("timm.")
    return kind is nn.BatchNorm2d or is_timm


def _is_conv(module: nn.Module) -> bool:
    """Whether a convolution uses its weights as they are; some of timm's standardise them."""
    kind = type(module)
    is_timm = kind.__name__ == "Conv2dSame" and kind.__module__.startswith("timm.")
    return kind is nn.Conv2d or is_timm


def _find_pairs(network: nn.Module, probe: torch.Tensor) -> list[_Pair]:
    convs: dict[int, nn.Conv2d] = {}  # by the output
    followed: list[tuple[str, nn.BatchNorm2d, int]] = []
    uses, kept = _Uses(), []

    def note_output(module: nn.Conv2d, _: Any, output: torch.Tensor) -> None:
        convs[id(output)] = module
        kept.append(output)  # or another tensor could have its identity

    def noting_input(name: str) -> Callable[[nn.BatchNorm2d, tuple[torch.Tensor]], None]:
        def note(module: nn.BatchNorm2d, given: tuple[torch.Tensor]) -> None:
            followed.append((name, module, id(given[0])))

        return note

    hooks = []
    for name, module in network.named_modules():
        if _is_conv(module):
            hooks.append(module.register_forward_hook(note_output))  # type: ignore[arg-type]
        elif _is_norm(module) and module.track_running_stats:
            hooks.append(module.register_forward_pre_hook(noting_input(name)))  # type: ignore[arg-type]
    try:
        with uses:
            network(probe)
    finally:
        for hook in hooks:
            hook.remove()
    seen = list(convs.values())
    names = [name for name, _, _ in followed]
    return [
        _Pair(convs[output], name, norm)
        for name, norm, output in followed
        if output in convs
        and uses.counts[output] == 1
        and seen.count(convs[output]) == 1
        and names.count(name) == 1
    ]


class _Uses(TorchFunctionMode):
    """Counts the functions that compute with each tensor; keeps the tensors meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[int, int] = {}
        self._kept: list[Any] = []

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function.__name__ not in _QUESTIONS:
            for value in _tensors((*args, *(kwargs or {}).values())):
                self.counts[id(value)] = self.counts.get(id(value), 0) + 1
                self._kept.append(value)
        return function(*args, **(kwargs or {}))


def _tensors(values: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
    return found
