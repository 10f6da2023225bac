"""Proof that weights are those of a network: every name, every shape, every number finite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from napari_ssp.progress import Progress, Steps
from napari_ssp.registry.weights import Unfilled, build_network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_ssp.registry.card import ModelCard


def prove_weights(card: ModelCard, state: Mapping[str, torch.Tensor]) -> Steps[int]:
    """Compare weights with the network that a card describes.

    Yields
    ------
    Progress
        Tensors that were looked at.

    Returns
    -------
    int
        How many numbers the network learned.

    Raises
    ------
    ValueError
        With the first names that are missing, too many, of another shape or not finite.
    """
    yield Progress(f"building {card.name}")
    network = _skeleton(card)
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in state.items()}
    problems = _differences(wanted, given)
    if problems:
        raise ValueError(
            f"The weights are not those of '{card.name}' ({card.family}): {'; '.join(problems)}. "
            "The file is incomplete, or of another version of the network."
        )
    for done, (key, value) in enumerate(state.items(), 1):
        if value.is_complex() or not bool(torch.isfinite(value).all()):
            raise ValueError(
                f"The weights of '{card.name}' are damaged: '{key}' holds values that are not "
                "finite numbers. Train or download it again."
            )
        yield Progress(f"checking {card.name}", done, len(state))
    return sum(part.numel() for part in network.parameters())


def _skeleton(card: ModelCard) -> torch.nn.Module:
    """Network for its names and shapes only: no memory and no time for its numbers."""
    try:
        with torch.device("meta"), _NumbersOfEncoders(), Unfilled():
            return build_network(card)
    except RuntimeError:  # an encoder that reads back more
        return build_network(card)


class _NumbersOfEncoders(TorchFunctionMode):
    """Keep on the CPU what encoders read back while they are built: their rates of dropping."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, `linspace` on the CPU."""
        given = dict(kwargs or {})
        if func is torch.linspace:
            given.setdefault("device", "cpu")
        return func(*args, **given)


def _differences(
    wanted: dict[str, tuple[int, ...]], given: dict[str, tuple[int, ...]]
) -> list[str]:
    missing, extra = [k for k in wanted if k not in given], [k for k in given if k not in wanted]
    reshaped = [
        f"'{key}' is {given[key]} instead of {shape}"
        for key, shape in wanted.items()
        if key in given and given[key] != shape
    ]
    return [*_some("missing", missing), *_some("unknown", extra), *reshaped[:3]]


def _some(words: str, names: list[Any]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(f"'{str(name)[:80]}'" for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"{words}: {shown}{more}"]
