from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from napari_ssp.progress import run
from napari_ssp.training.weight_interpolation import interpolate_until, interpolate_weights

if TYPE_CHECKING:
    from collections.abc import Iterator


def _network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    network.train()(torch.rand(4, 1, 3, 3) * (seed + 1))
    return network.eval()


def test_a_mixture_lies_between_both_statistics_too_and_changes_neither() -> None:
    base, learned = _network(0), _network(1)
    old, new = base.state_dict(), {k: v.clone() for k, v in learned.state_dict().items()}
    quarter = interpolate_weights(base, learned, 0.25)
    assert not quarter.training
    for name, value in quarter.state_dict().items():
        expected = 0.75 * old[name] + 0.25 * new[name] if value.is_floating_point() else value
        torch.testing.assert_close(value, expected)
        assert torch.equal(learned.state_dict()[name], new[name])
    for share, whole in ((0.0, base), (1.0, learned)):
        for name, value in interpolate_weights(base, learned, share).state_dict().items():
            torch.testing.assert_close(value, whole.state_dict()[name])


@pytest.mark.parametrize(
    ("least_at", "most_forgotten", "most", "share", "scorings"),
    [
        (1.0, 0.0, 1.0, 1.0, 5),  # what is known gains to the end
        (0.5, 0.0, 1.0, 0.5, 5),
        (0.5, 0.011, 1.0, 0.75, 5),  # a sixteenth more than 6 is 0.0104 of it
        (0.0, 0.0, 1.0, 0.0, 5),  # what is known loses from the start
        (0.0, 0.011, 1.0, 0.25, 5),
        (0.0, 1.0, 1.0, 1.0, 2),  # as it is
        (0.5, 0.0, 0.25, 0.25, 5),
        (0.25, 0.0, 0.5, 0.25, 5),
    ],
)
def test_as_much_is_taken_as_the_loss_of_the_known_bears(
    least_at: float, most_forgotten: float, most: float, share: float, scorings: int
) -> None:
    """The loss is a parabola; the count of found objects says nothing, and decides nothing."""
    base, learned = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        base.weight.fill_(0.0)
        learned.weight.fill_(1.0)
    seen = []

    def score(network: nn.Module) -> Iterator[None]:
        yield from ()
        at = float(network.state_dict()["weight"])
        seen.append(at)
        return {"f1": 0.9 - 0.5 * at, "loss": 6.0 + (at - least_at) ** 2}

    mixture = run(interpolate_until(base, learned, score, most_forgotten, most))  # type: ignore[arg-type]
    assert (mixture.share, len(seen)) == (share, scorings)
    assert max(seen) == most
    assert mixture.before == {"f1": 0.9, "loss": 6.0 + least_at**2}
    assert mixture.after == {"f1": 0.9 - 0.5 * share, "loss": 6.0 + (share - least_at) ** 2}
    assert float(mixture.network.state_dict()["weight"]) == share


def test_a_loss_of_nothing_bears_no_rise() -> None:
    def score(network: nn.Module) -> Iterator[None]:
        yield from ()
        return {"loss": next(losses)}

    losses = iter((0.0, 0.0, 0.0, 0.1, 0.2))
    mixture = run(interpolate_until(_network(0), _network(1), score, 0.5))  # type: ignore[arg-type]
    assert mixture.share == 0.5


def test_without_anything_known_all_that_may_be_is_taken() -> None:
    def score(network: nn.Module) -> Iterator[None]:
        yield from ()
        return {}

    mixture = run(interpolate_until(_network(0), _network(1), score, 0.0, 0.5))  # type: ignore[arg-type]
    assert (mixture.share, mixture.before, mixture.after) == (0.5, {}, {})


@pytest.mark.parametrize(
    ("needed", "most_forgotten", "share"),
    [
        (0.0, 0.0011, 0.25),  # the least that is taken where it can be
        (0.0, 0.0001, 0.0),
        (0.25, 0.0011, 0.25),
        (0.2, 0.0011, 0.25),
        (0.9, 0.0011, 0.25),  # ten times 0.0011 of 6 is 0.066; 0.375 squared is 0.14
        (0.9, 0.0, 0.0),
        (0.9, 0.01, 0.75),
    ],
)
def test_what_is_needed_is_taken_as_far_as_ten_times_the_rise(
    needed: float, most_forgotten: float, share: float
) -> None:
    base, learned = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        base.weight.fill_(0.0)
        learned.weight.fill_(1.0)

    def score(network: nn.Module) -> Iterator[None]:
        yield from ()
        return {"loss": 6.0 + float(network.state_dict()["weight"]) ** 2}

    def is_enough(network: nn.Module, share: float) -> Iterator[None]:
        yield from ()
        assert float(network.state_dict()["weight"]) == share
        return share >= needed

    steps = interpolate_until(base, learned, score, most_forgotten, 1.0, is_enough)  # type: ignore[arg-type]
    mixture = run(steps)
    assert mixture.share == share
    assert mixture.after == {"loss": 6.0 + share**2}
