"""A viewer with a small real image, and one service for all tests, so that torch loads once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.io.samples import sample_image
from napari_ssp.service import ModelService
from napari_ssp.widgets.segment_dock import SegmentDock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari
    from numpy.typing import NDArray


@pytest.fixture(scope="session")
def service() -> Iterator[ModelService]:
    with ModelService() as service:
        yield service


@pytest.fixture(scope="session")
def nuclei() -> NDArray[np.uint8]:
    """Fluorescent nuclei, (160, 200), about a dozen."""
    return np.ascontiguousarray(sample_image("fluorescent_nuclei").plane()[:160, :200])


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., napari.Viewer]) -> napari.Viewer:
    return make_napari_viewer()


@pytest.fixture
def dock(viewer: napari.Viewer, service: ModelService) -> SegmentDock:
    dock = SegmentDock(viewer, service)
    viewer.window.add_dock_widget(dock, name="Segment")
    return dock
