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
    ("kept_until", "most", "share", "scorings"),
    [
        (1.0, 1.0, 1.0, 2),
        (0.99, 1.0, 0.875, 5),
        (0.5, 1.0, 0.5, 5),
        (0.3, 1.0, 0.25, 5),
        (0.1, 1.0, 0.0, 5),
        (1.0, 0.375, 0.375, 2),
        (0.2, 0.5, 0.1875, 5),
    ],
)
def test_as_much_is_taken_as_the_known_bears(
    kept_until: float, most: float, share: float, scorings: int
) -> None:
    """One score falls from 0.9 to 0.8 beyond some share; 0.01 less would be borne."""
    base, learned = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        base.weight.fill_(0.0)
        learned.weight.fill_(1.0)
    seen = []

    def score(network: nn.Module) -> Iterator[None]:
        yield from ()
        at = float(network.state_dict()["weight"])
        seen.append(at)
        return {"f1": 0.9, "other": 0.9 - 0.01 * at if at <= kept_until else 0.8}

    mixture = run(interpolate_until(base, learned, score, 0.0101, most))  # type: ignore[arg-type]
    assert (mixture.share, len(seen)) == (share, scorings)
    assert mixture.before == {"f1": 0.9, "other": 0.9}
    assert mixture.after == {"f1": 0.9, "other": pytest.approx(0.9 - 0.01 * share)}
    assert float(mixture.network.state_dict()["weight"]) == share
