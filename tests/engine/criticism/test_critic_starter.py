"""The shipped critic: small, listed after the models whose labels it criticises, and of use."""

from __future__ import annotations

import numpy as np
from skimage.draw import disk

from napari_ssp.engine import predict_errors
from napari_ssp.progress import run
from napari_ssp.registry import find_card, list_cards, load_model


def test_the_shipped_critic_is_small_and_comes_last() -> None:
    card = find_card("critic-starter")
    assert card.weights.stat().st_size < 8e6
    names = [one.name for one in list_cards()]
    assert names.index("critic-starter") > names.index("repmode-starter")


def test_an_invented_object_is_worse_than_all_true_ones() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((160, 160), np.int32)
    for number, (y, x) in enumerate(np.ndindex(4, 4), start=1):
        labels[disk((20 + 40 * y, 20 + 40 * x), 11, shape=labels.shape)] = number
    # Object 6 has nothing below it.
    image = np.where((labels > 0) & (labels != 6), 150.0, 30.0) + rng.normal(0, 4, labels.shape)
    found = run(predict_errors(load_model("critic-starter"), image.astype(np.uint8), labels))
    errors = found.objects["predicted_error"]
    assert found.objects["label"][errors.argmax()] == 6
    assert errors.max() > 0.5
    assert found.kinds[1][labels == 6].mean() > 2 * found.kinds[1][labels != 6].mean()
