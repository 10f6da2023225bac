"""Tracking through the function for scripts, and through the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from movies import dividing

import napari_ssp
from napari_ssp.io import write_labels
from napari_ssp.service import ModelService, TrackRequest

if TYPE_CHECKING:
    from pathlib import Path


def test_arrays_and_files(tmp_path: Path) -> None:
    array = napari_ssp.track(dividing().data, voxel_size=(1, 0.5, 0.25))
    assert array.table["area_um2"][0] == 60 * 0.125
    file = napari_ssp.track(str(write_labels(tmp_path / "movie.ome.tif", dividing())))
    np.testing.assert_array_equal(array.labels.data, file.labels.data)
    moved = napari_ssp.track(np.moveaxis(dividing().data, 0, 2), axes="yxt", divisions=False)
    assert moved.num_tracks == 4


def test_a_job_of_the_service() -> None:
    with ModelService() as service:
        tracks = service.submit(TrackRequest(dividing())).result(timeout=60)
    assert tracks.parents == {3: 2, 4: 2}
