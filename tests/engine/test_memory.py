"""How many windows go to a graphics card at once."""

from __future__ import annotations

import pytest
import torch

from napari_ssp.engine import memory
from napari_ssp.engine.memory import Capacity

WINDOW = (512, 512)
CARD = torch.device("cuda:0")


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes that are free on a card that is not there."""
    left = [8 * 2**30]
    monkeypatch.setattr(memory, "free_memory", lambda device: left[0])
    return left


def test_a_batch_follows_the_free_memory(free: list[int]) -> None:
    capacity = Capacity()
    assert capacity.batch(WINDOW, 0, CARD) == 24
    free[0] = 140 * 2**30
    assert capacity.batch(WINDOW, 0, CARD) == 32
    free[0] = 1000
    assert capacity.batch(WINDOW, 0, CARD) == 1


def test_a_wanted_batch_is_kept_until_it_fails(free: list[int]) -> None:
    capacity = Capacity()
    assert capacity.batch(WINDOW, 7, CARD) == 7
    assert capacity.halve(WINDOW, 7) == 3
    assert capacity.batch(WINDOW, 7, CARD) == capacity.batch(WINDOW, 0, CARD) == 3
    assert capacity.batch((256, 256), 7, CARD) == 7


def test_a_window_that_fails_alone_is_not_tried_again() -> None:
    capacity = Capacity()
    assert capacity.window(WINDOW) == WINDOW
    assert capacity.shrink(WINDOW, WINDOW) == (256, 256)
    assert capacity.window(WINDOW) == (256, 256)
    assert capacity.shrink(WINDOW, (256, 256)) == (128, 128)
    assert capacity.window(WINDOW) == (128, 128)
    assert capacity.shrink(WINDOW, (64, 64)) is None
    assert capacity.window(WINDOW) == (128, 128)


def test_a_processor_takes_one_window_at_a_time() -> None:
    assert Capacity().batch(WINDOW, 0, torch.device("cpu")) == 1
    assert Capacity().batch(WINDOW, 5, torch.device("cpu")) == 5
