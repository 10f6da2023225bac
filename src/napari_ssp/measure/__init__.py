"""Measurements of objects: their size, place, shape and intensities, as a table."""

from __future__ import annotations

from napari_ssp.measure.objects import Table, measure_objects, measure_steps, row_axes
from napari_ssp.measure.plausibility import ManyObjectsError, check_objects

__all__ = [
    "ManyObjectsError",
    "Table",
    "check_objects",
    "measure_objects",
    "measure_steps",
    "row_axes",
]
