"""Images in which there is nothing to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import napari_ssp as ssp
from napari_ssp.image import MicroscopyImage

if TYPE_CHECKING:
    from pathlib import Path

SEEN = "No objects can be found in the image, which has"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "no finite values: all pixels are NaN"),
        (np.inf, "no finite"),
        (5, "one value only, 5"),
    ],
)
def test_a_result_without_objects_says_why(value: float, words: str) -> None:
    found = ssp.segment(np.full((64, 64), value, np.float32), device="cpu", tta=False)
    assert found.num_objects == 0
    assert found.warnings[-1].startswith(f"{SEEN} {words}")


def test_an_image_with_some_contrast_is_not_blamed(tiny_model: Path) -> None:
    pixels = np.full((2, 64, 64), np.nan, np.float32)
    pixels[1, 3:5] = np.arange(64)
    image = MicroscopyImage(pixels, "zyx")
    found = ssp.segment(image, model=str(tiny_model), device="cpu", cell_threshold=1.0)
    assert (found.num_objects, found.warnings) == (0, ())
