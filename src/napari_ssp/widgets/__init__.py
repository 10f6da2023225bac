"""The docks: the only room that knows Qt and napari."""

from __future__ import annotations
