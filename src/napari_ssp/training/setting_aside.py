"""Which of many examples are set aside for validation."""

from __future__ import annotations

#: From this many examples on, whole ones are set aside.
WHOLE_FROM = 4
#: Share of them.
SHARE = 0.2


def set_aside_of(count: int) -> frozenset[int]:
    """Places of the examples that are set aside, evenly over their order; at least one."""
    number = max(1, round(SHARE * count))
    return frozenset(int((k + 0.5) * count / number) for k in range(number))
