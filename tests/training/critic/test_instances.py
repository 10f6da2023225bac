"""Faults planted into labels: each does what it says."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk

from napari_ssp.training.critic import instances
from napari_ssp.training.critic.errors import object_errors

NOTHING = np.zeros((20, 20), np.int32)


@pytest.fixture
def labels() -> np.ndarray:
    found = np.zeros((60, 80), np.int32)
    for number, (y, x) in enumerate(np.ndindex(3, 4), start=1):
        found[disk((10 + 20 * y, 10 + 20 * x), 8, shape=found.shape)] = number
    return found


@pytest.mark.parametrize("seed", range(4))
def test_faults_change_what_they_say(labels: np.ndarray, seed: int) -> None:
    def planted(name: str) -> np.ndarray:
        return getattr(instances, name)(labels, np.random.default_rng(seed))

    count = 12
    assert np.unique(planted("erase_object")).size - 1 == count - 1
    merged = planted("merge_objects")
    assert np.unique(merged).size - 1 == count - 1
    assert np.count_nonzero(merged) > np.count_nonzero(labels)
    split = planted("split_object")
    assert np.unique(split).size - 1 == count + 1
    np.testing.assert_array_equal(split > 0, labels > 0)
    assert np.count_nonzero(planted("grow_object")) > np.count_nonzero(labels)
    shrunk = planted("shrink_object")
    assert np.unique(shrunk).size - 1 == count
    assert np.count_nonzero(shrunk) < np.count_nonzero(labels)
    invented = planted("invent_object")
    np.testing.assert_array_equal(invented[labels > 0], labels[labels > 0])
    assert np.unique(invented).size - 1 == count + 1
    moved = object_errors(labels, planted("shift_object"))
    assert np.count_nonzero(moved) == 1


@pytest.mark.parametrize("way", dict.fromkeys(instances._WAYS))
def test_nothing_comes_of_nothing(way: object) -> None:
    assert callable(way)
    np.testing.assert_array_equal(way(NOTHING, np.random.default_rng(0)), NOTHING)


def test_the_same_seed_plants_the_same_faults(labels: np.ndarray) -> None:
    before = labels.copy()
    first, again = (instances.plant_faults(labels, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(labels, before)
    assert first.dtype == np.int32
    assert (first != labels).any()


def test_a_single_object_has_no_neighbour_to_merge_with(labels: np.ndarray) -> None:
    one = np.where(labels == 3, labels, 0)
    np.testing.assert_array_equal(instances.merge_objects(one, np.random.default_rng(0)), one)
