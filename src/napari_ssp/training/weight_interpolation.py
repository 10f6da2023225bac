"""Weight-space ensembles for fine-tuning (WiSE-FT): learned weights mixed with the base's.

M. Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, arXiv:2109.01903: between the
weights of a network and those that it was fine-tuned to, most of the new is learned before much of
the old is lost.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_ssp.progress import Progress, Steps

    ScoreOf = Callable[[nn.Module], Generator[Progress, None, dict[str, float]]]

#: Parts into which the way from the base to what was learned is divided; a power of two.
PARTS = 8


@dataclass(frozen=True)
class Interpolated:
    """A network between its base and what was learned.

    Attributes
    ----------
    network : torch.nn.Module
        In evaluation mode.
    share : float
        Share of the learned change, 0 (the base) to 1.
    before, after : dict of str to float
        Scores of the base and of the mixture on what the base knows.
    """

    network: nn.Module
    share: float
    before: dict[str, float]
    after: dict[str, float]


def interpolate_weights(base: nn.Module, learned: nn.Module, share: float) -> nn.Module:
    """Network whose weights and statistics lie between those of two alike.

    Parameters
    ----------
    base, learned : torch.nn.Module
        Of the same shapes; neither is changed.
    share : float
        0 gives the base, 1 what was learned.
    """
    network, old = copy.deepcopy(learned), base.state_dict()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.lerp(old[name].to(value), value, share))
    return network.eval()


def interpolate_until(
    base: nn.Module,
    learned: nn.Module,
    score: ScoreOf,
    most_forgotten: float,
    most_learned: float = 1.0,
) -> Steps[Interpolated]:
    """Take as much of what was learned as the base's knowledge bears.

    Parameters
    ----------
    base, learned : torch.nn.Module
        Of the same shapes.
    score : callable
        Scores a network on what the base knows, each the higher the better.
    most_forgotten : float
        How much of any of the scores may be lost.
    most_learned : float
        Share of the learned change that is taken at most.

    Yields
    ------
    Progress
        That of the scoring, at most five times.

    Returns
    -------
    Interpolated
        The most of the change when it costs no more than that, else the largest number of eighths
        of it that halving the way finds; the base itself when an eighth costs too much.
    """
    before = yield from score(base)
    kept = Interpolated(base, 0.0, before, before)
    taken, refused, part = 0, PARTS + 1, PARTS
    while refused - taken > 1:
        share = most_learned * part / PARTS
        network = interpolate_weights(base, learned, share)
        after = yield from score(network)
        if all(before[name] - value <= most_forgotten for name, value in after.items()):
            kept, taken = Interpolated(network, share, before, after), part
        else:
            refused = part
        part = (taken + refused) // 2
    return kept
