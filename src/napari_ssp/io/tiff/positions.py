"""Positions of a recording in one TIFF series: images that have nothing to do with each other."""

from __future__ import annotations

from itertools import product
from typing import Any

# tifffile's letters for stage positions, regions and tiles.
_POSITIONS = "RPM"


def list_positions(series: Any) -> list[dict[str, int]]:
    """Places along the axes of positions.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        The series.

    Returns
    -------
    list of dict
        Index by tifffile's letter; one empty place where there are no such axes.
    """
    axes = {a: n for a, n in zip(series.axes, series.shape, strict=True) if a in _POSITIONS}
    ranges = [range(length) for length in axes.values()]
    return [dict(zip(axes, place, strict=True)) for place in product(*ranges)]
