"""Division of many examples: which are held out for validation."""

from __future__ import annotations

#: From this many examples on, whole ones are held out.
WHOLE_FROM = 4
#: Share of them.
SHARE = 0.2
#: Share of a labelled image that a strip of it takes.
STRIP_SHARE = 0.25
#: Least width of a strip of a stack, and what lies unused between it and the rest, in pixels.
NARROWEST, GAP = 32, 16


def choose_holdout(count: int, most: int | None = None) -> frozenset[int]:
    """Places of the examples that are held out, evenly over their order; at least one."""
    number = max(1, min(round(SHARE * count), most or count))
    return frozenset(int((k + 0.5) * count / number) for k in range(number))


def place_holdout_strip(length: int) -> tuple[int, int] | None:
    """Start and width of a strip along an axis of a stack; None where it is too short for one."""
    width = round(SHARE * length)
    rest = length - width - GAP
    return None if width < NARROWEST or rest < NARROWEST else (rest + GAP, width)
