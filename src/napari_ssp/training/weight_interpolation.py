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
    from collections.abc import Callable, Generator, Mapping

    from napari_ssp.progress import Progress, Steps

    ScoreOf = Callable[[nn.Module], Generator[Progress, None, dict[str, float]]]
    IsEnough = Callable[[nn.Module, float], Generator[Progress, None, bool]]

#: Parts into which the way from the base to what was learned is divided.
PARTS = 4
#: The score, the lower the better, by which it shows what is forgotten.
LOSS = "loss"
#: How many times the rise of the loss that may be is borne where what was learned needs it.
_NEEDED = 10.0


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
    is_enough: IsEnough | None = None,
) -> Steps[Interpolated]:
    """Take as much of what was learned as the base's knowledge bears.

    What the base knows is learned further, too, where it is replayed: its loss falls at first on
    the way from the base to what was learned, and rises when it begins to be forgotten. A count of
    found objects shows this less: of few images it jumps with every object.

    Parameters
    ----------
    base, learned : torch.nn.Module
        Of the same shapes.
    score : callable
        Scores a network on what the base knows; its `LOSS` decides.
    most_forgotten : float
        By which share the loss may exceed the least on the way; 1 and more takes what was learned.
    most_learned : float
        Share of the learned change that is taken at most.
    is_enough : callable, optional
        Tells whether a mixture with a share of the change does well enough what was to be learned.
        One that does not gives way to the next, up to ten times the rise that may be.

    Yields
    ------
    Progress
        That of the scoring, five times; twice where nothing is decided by it.

    Returns
    -------
    Interpolated
        The largest number of quarters of the way whose loss is borne, or is needed; at least one
        where that costs less than ten times the rise that may be.
    """
    scores: dict[int, dict[str, float]] = {}
    for part in (0, PARTS) if most_forgotten >= 1 else range(PARTS + 1):
        network = interpolate_weights(base, learned, most_learned * part / PARTS)
        scores[part] = yield from score(network)
    taken = PARTS
    if most_forgotten < 1 and scores[0]:
        taken = _largest_within(scores, most_forgotten)
        bearable = _largest_within(scores, _NEEDED * most_forgotten)
        taken = max(taken, min(1, bearable))
        while is_enough is not None and taken < bearable:
            share = most_learned * taken / PARTS
            if (yield from is_enough(interpolate_weights(base, learned, share), share)):
                break
            taken += 1
    share = most_learned * taken / PARTS
    network = interpolate_weights(base, learned, share)
    return Interpolated(network, share, scores[0], scores[taken])


def _largest_within(scores: Mapping[int, dict[str, float]], rise: float) -> int:
    """Most parts whose loss exceeds the least by a share at most."""
    most = (1.0 + rise) * min(found[LOSS] for found in scores.values())
    return max(part for part, found in scores.items() if found[LOSS] <= most)
