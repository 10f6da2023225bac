from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import Field

from napari_ssp.schema import (
    OneOf,
    checked_dataclass,
    choice,
    describe_fields,
    flatten,
    restore,
    same_choice,
)


@checked_dataclass(frozen=True)
class Schedule:
    minutes: float | None = choice(30.0, "Minutes", "Time at most", min=0.01)
    steps: int = choice(5, "Steps", "Steps at most", min=1, max=9)


@checked_dataclass(frozen=True)
class Order:
    data: tuple[Path, ...]
    schedule: Schedule = Field(default_factory=Schedule)
    kind: Annotated[str, OneOf(("a", "b"))] = choice("a", "Kind", "What kind")
    steps_again: int = same_choice(Schedule, "steps", default=2)


def test_groups_are_flat_in_descriptions_and_files() -> None:
    assert list(describe_fields(Order)) == ["data", "minutes", "steps", "kind", "steps_again"]
    order = Order((Path("x"),), Schedule(steps=3))
    content = flatten(order)
    assert content == {"data": ["x"], "minutes": 30.0, "steps": 3, "kind": "a", "steps_again": 2}
    assert restore(Order, content) == order
    assert restore(Order, {"data": ["x"], "steps": 3}) == order
    with pytest.raises(
        ValueError, match=r"Order has no colour, time\. It takes data, minutes, step"
    ):
        restore(Order, {"time": 3, "colour": 1})


def test_a_field_is_described_once() -> None:
    known = describe_fields(Order)
    assert (known["steps"].min, known["steps"].max, known["steps"].kind) == (1, 9, int)
    assert (known["minutes"].max, known["minutes"].kind) == (None, float)
    assert known["kind"].choices == ("a", "b")
    assert replace(known["steps_again"], name="steps", default=5) == known["steps"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "c"}, "Kind must be one of a, b, got 'c'"),
        ({"kind": 3}, "Kind must be a text, got 3"),
        ({"steps_again": 10}, "Steps must be between 1 and 9, got 10"),
        ({"steps_again": "3"}, "Steps must be a number, got '3'"),
        ({"steps_again": None}, "Steps must be a number, got None"),
        ({"data": 3}, "data must be a list, got 3"),
        ({"weight": 3}, "Order: .*weight"),
    ],
)
def test_errors_are_sentences(values: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        Order(**{"data": (), **values})
    with pytest.raises(TypeError, match=r"Order: .*data"):
        Order()  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"Minutes must be at least 0\.01, got 0"):
        Schedule(minutes=0)


def test_numbers_of_numpy_become_pythons() -> None:
    found = Schedule(minutes=np.float32(0.5), steps=np.int64(3))  # type: ignore[arg-type]
    assert (type(found.minutes), type(found.steps)) == (float, int)
