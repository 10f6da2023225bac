from __future__ import annotations

import pickle

import numpy as np
import pytest

from napari_ssp.service.training.structures.stack_headers import check_shapes
from napari_ssp.training.data import ScoredArray, StructurePair
from napari_ssp.training.holdout import GAP
from napari_ssp.training.structures.parts import set_aside


def _pair(task: int, shape: tuple[int, ...], name: str = "a", flat: bool = False) -> StructurePair:
    rng = np.random.default_rng(task)
    signal = rng.normal(size=shape).astype(np.float32)
    target = rng.normal(size=shape[1:] if flat else shape).astype(np.float32)
    return StructurePair(name, ScoredArray.of(signal), ScoredArray.of(target), task)


def test_whole_stacks_of_many_are_set_aside_by_structure() -> None:
    pairs = [_pair(0, (4, 40, 40), f"a{k}") for k in range(10)]
    pairs += [_pair(1, (4, 40, 40), f"b{k}") for k in range(4)]
    training, validation = set_aside(pairs)
    assert [pair.name for pair in validation] == ["a2", "a7", "b2"]
    assert {pair.name for pair in training}.isdisjoint(pair.name for pair in validation)
    assert len(training) + len(validation) == len(pairs)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(("shape", "axis"), [((4, 200, 90), 1), ((4, 90, 200), 2)])
def test_of_few_stacks_strips_with_a_gap_are_set_aside(
    shape: tuple[int, ...], axis: int, flat: bool
) -> None:
    pair = _pair(0, shape, flat=flat)
    (learned,), (scored,) = set_aside([pair])
    assert learned.signal.shape[axis] + GAP + scored.signal.shape[axis] == 200
    assert scored.signal.shape[axis] == 40
    assert learned.is_projected == flat
    for role in ("signal", "target"):
        whole, low, high = (getattr(p, role) for p in (pair, learned, scored))
        everything = whole.read((slice(None),) * len(whole.shape))
        cut = axis - (role == "target" and flat)
        for part, start in ((low, 0), (high, 160)):
            part = pickle.loads(pickle.dumps(part))  # goes to other processes
            wanted = np.take(everything, range(start, start + part.shape[cut]), cut)
            np.testing.assert_array_equal(part.read((slice(None),) * len(part.shape)), wanted)
            box = (slice(1, 3),) * len(part.shape)
            np.testing.assert_array_equal(part.read(box), wanted[box])
    check_shapes(scored.signal.shape, scored.target.shape)


def test_a_stack_too_narrow_for_a_strip_is_learned_from_as_a_whole() -> None:
    pair = _pair(0, (4, 60, 60))
    assert set_aside([pair]) == ([pair], [])
