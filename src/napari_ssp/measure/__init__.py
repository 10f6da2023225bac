"""Measurements of objects: their size, place, shape and intensities, as a table."""

from __future__ import annotations

from napari_ssp.measure.objects import Table, measure_objects, measure_steps

__all__ = ["Table", "measure_objects", "measure_steps"]
