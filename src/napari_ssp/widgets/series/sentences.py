"""Sentences about a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.service.series.listing import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.service import SegmentRequest
    from napari_ssp.service.series.listing import ImageState
    from napari_ssp.service.series.table import SeriesTable

_LISTED = 5


def settings_line(count: int, settings: SegmentRequest, is_open: bool) -> str:
    """Say what will be segmented, and how."""
    begun = "as the Segment dock begins; open it for other settings"
    whose = "as the Segment dock says" if is_open else begun
    return f"{_images(count)} to segment with {settings.model}, {whose}"


def segmented_line(states: Sequence[ImageState]) -> str:
    """Say what became of the images."""
    failed = sum(state.stage is Stage.FAILED for state in states)
    done = f"Segmented {_images(len(states) - failed)}."
    return done + (f" {_images(failed)} failed; the list says why." if failed else "")


def table_line(table: SeriesTable) -> str:
    """Say what is in a table, and what is not."""
    lines = [f"Measured {table.rows} objects of {_images(table.images)} -> {table.path}"]
    lines += [f"Left out: {problem}" for problem in table.problems[:_LISTED]]
    more = len(table.problems) - _LISTED
    return "\n".join([*lines, *([f"… and {more} more"] if more > 0 else [])])


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
