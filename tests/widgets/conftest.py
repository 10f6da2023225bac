"""A viewer with a small real image, and one service for all tests, so that torch loads once."""

from __future__ import annotations

import copy
import gc
import shutil
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dock_driver import SlowService
from npe2 import PluginManifest

from napari_ssp.engine import prepare_torch
from napari_ssp.io.samples import sample_image
from napari_ssp.registry import cache_folder
from napari_ssp.service import ModelService
from napari_ssp.widgets.predict.dock import PredictDock
from napari_ssp.widgets.segment.dock import SegmentDock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import napari
    from numpy.typing import NDArray


@pytest.fixture(scope="session", autouse=True)
def _torch_after_a_viewer() -> None:
    """Fixtures load torch in this thread, some after a viewer has drawn."""
    prepare_torch()


@pytest.fixture(scope="module", autouse=True)
def _images_are_segmented_once(windows_seen_once: None) -> None:
    """Docks are tested here, and not what a network says of the few images."""


@pytest.fixture(autouse=True)
def _what_a_viewer_left_is_no_garbage() -> Iterator[None]:
    """A viewer collects garbage whenever layers go; what napari keeps grows with each one."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _manifests_are_read_once() -> Iterator[None]:
    """A viewer of a test reads those of all plugins, a quarter of the time that it takes."""
    read = lru_cache(PluginManifest.from_file)

    def from_file(path: Path | str) -> Any:
        return copy.deepcopy(read(path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "from_file", from_file)
        yield


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


@pytest.fixture
def slow_service(service: ModelService) -> Iterator[SlowService]:
    slow = SlowService(service)
    yield slow
    slow.gate.set()


@pytest.fixture
def structures(tiny_structures: Path) -> Iterator[Path]:
    """The tiny model for structures, installed as a user's own."""
    folder = cache_folder() / "models" / "tiny-structures"
    shutil.copytree(tiny_structures, folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack() -> NDArray[np.uint8]:
    """A stack that differs in every plane, (12, 40, 48)."""
    nuclei = np.ascontiguousarray(sample_image("fluorescent_nuclei").plane())
    return np.stack([nuclei[8 * z : 8 * z + 40, 60:108] for z in range(12)])


@pytest.fixture
def predict_dock(viewer: napari.Viewer, service: ModelService, structures: Path) -> PredictDock:
    dock = PredictDock(viewer, service)
    viewer.window.add_dock_widget(dock, name="Predict structures")
    dock.form.set_value(replace(dock.form.value(), model="tiny-structures"))
    return dock
