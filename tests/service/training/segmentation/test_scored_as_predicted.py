"""What training scores is what a user gets: the same windows, the same objects."""

from __future__ import annotations

import numpy as np
import pytest

from napari_ssp import ModelService
from napari_ssp.io.samples import sample_image
from napari_ssp.metrics import f1_score
from napari_ssp.progress import run
from napari_ssp.registry import find_card, load_model
from napari_ssp.service import SegmentRequest
from napari_ssp.training.data import LabelledImage
from napari_ssp.training.segmentation.recipe import predict_labels


@pytest.mark.parametrize("model", ["generalist-starter", "mediar-starter"])
def test_a_small_image_is_scored_with_the_black_around_it_that_prediction_adds(model: str) -> None:
    plane = sample_image("stained_nuclei").plane()[:200, :200]
    request = SegmentRequest(plane, model, precision="float32", fallback=False)
    with ModelService() as service:
        predicted = service.submit(request).result().labels
    image = LabelledImage.from_planes("x", plane, np.zeros(plane.shape[:2], int))
    scored = run(predict_labels(load_model(model).eval(), image, find_card(model), "float32"))
    assert scored.max() > 10
    assert f1_score(predicted, scored, 0.9) == 1.0
