from __future__ import annotations

from pathlib import Path

import numpy as np

import napari_ssp as ssp
from napari_ssp.io import read_image, samples
from napari_ssp.metrics import structure_metrics

SAMPLES = Path(samples.__file__).parent / "sample_images"


def test_the_shipped_model_predicts_dna_where_it_was_measured() -> None:
    """On the sample, of the field that it never saw; docs/models/repmode-starter.md has 0.752."""
    measured = read_image(SAMPLES / "neurons_measured.ome.tif").plane(channel=0)
    found = ssp.predict_structures(
        SAMPLES / "neurons_phase_contrast.ome.tif", ["dapi"], overlap=0.25
    )
    projected = found["dapi"].max(axis=0)
    assert structure_metrics(measured.astype(np.float32), projected)["pcc"] > 0.71
