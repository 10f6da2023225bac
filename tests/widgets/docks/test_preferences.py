"""New docks begin with what napari's Preferences say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from napari.settings import get_plugin_settings

from napari_ssp.widgets.predict.dock import PredictDock
from napari_ssp.widgets.review.dock import ReviewDock
from napari_ssp.widgets.segment.dock import SegmentDock
from napari_ssp.widgets.train.dock import TrainDock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import napari


@pytest.fixture
def preferences() -> Iterator[Any]:
    settings = get_plugin_settings("napari-ssp")
    before = settings.compute.model_dump(), settings.models.model_dump()
    yield settings
    settings.compute.update(before[0])
    settings.models.update(before[1])


@pytest.mark.parametrize("kind", [SegmentDock, PredictDock, ReviewDock, TrainDock])
def test_every_dock_with_a_device_begins_with_the_preferred_one(
    viewer: napari.Viewer, preferences: Any, kind: Any
) -> None:
    assert kind(viewer).form.value().device == "auto"
    preferences.compute.device = "cpu"
    assert kind(viewer).form.value().device == "cpu"


def test_docks_begin_with_the_preferred_model_and_precision(
    viewer: napari.Viewer, preferences: Any, structures: Path
) -> None:
    first = PredictDock(viewer).form.value()
    assert (first.model, first.precision) == ("repmode-starter", "auto")
    preferences.models.images, preferences.compute.precision = structures.name, "float32"
    now = PredictDock(viewer).form.value()
    assert (now.model, now.precision) == (structures.name, "float32")
    assert SegmentDock(viewer).form.value().model == "mediar-starter"
