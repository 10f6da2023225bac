"""Sentences that the plans of trainings share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Most names that a warning lists.
_LISTED = 5


def describe_limits(**limits: float | None) -> str:
    """How long a training may take, by unit; minutes come first."""
    words = [f"at most {_count(n, unit)}" for unit, n in limits.items() if n is not None]
    if limits.get("minutes") is not None:
        words[0] += ", of which scoring takes a fifth at most"
    return ", ".join(words)


def _count(number: float, units: str) -> str:
    return f"{number:g} {units.removesuffix('s') if number == 1 else units}"


def warn_skipped(files: Sequence[Path]) -> str:
    """Warn of files that are of no use."""
    names = _listed([path.name for path in files])
    return f"Skipped, since they are no images or have none: {names}."


def warn_scored_as_well(names: Sequence[str]) -> str:
    """Warn of images on both sides."""
    return (
        f"Learned from and scored as well: {_listed(names)}. Their scores say nothing about other "
        "images."
    )


def warn_too_small(names: Sequence[str]) -> str:
    """Warn of images of which nothing can be held out."""
    return (
        f"Too small to set a strip aside: {_listed(names)}. Without validation images nobody can "
        "tell whether the new model is better."
    )


def warn_in_parts(names: Sequence[str]) -> str:
    """Warn of validation images that are too large to be looked at as a whole."""
    return (
        f"Large, so that parts of them are scored, as many as there is time for: {_listed(names)}."
    )


def warn_long_scoring(pixels: float) -> str:
    """Warn of validation images that are scored as a whole, however long that takes."""
    return (
        f"All {pixels / 1e6:.0f} megapixels of validation images are scored eleven times in a run "
        "whose time is not limited. Give minutes, too, and it scores as much as there is time for."
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
