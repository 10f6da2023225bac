"""Stacks are brought to the voxel size of the model that learns from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image
from napari_ssp.progress import run
from napari_ssp.service.annotation.stacks import at_voxel_size, stack_steps
from napari_ssp.service.annotation.training_set import TrainingSet

if TYPE_CHECKING:
    from pathlib import Path


def test_stacks_and_projections_are_resampled(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(20, dtype=np.uint16), (6, 10, 20))
    signal = MicroscopyImage(ramp, "zyx", (0.6, 0.3, 0.3), name="s")
    flat = MicroscopyImage(ramp[0], "yx", (0.6, 0.3, 0.3))
    folder = TrainingSet(tmp_path, "structures")
    for target in (signal, flat):
        run(stack_steps(folder, signal, target, (0.3, 0.3, 0.15)))
    first, second = folder.pairs()
    image = read_image(first.image)
    assert image.sizes == {"z": 12, "y": 10, "x": 40}
    assert image.voxel_size == pytest.approx((0.3, 0.3, 0.15))
    np.testing.assert_allclose(np.asarray(image.data)[3, 4], np.linspace(0, 19, 40), atol=0.1)
    assert read_image(second.target).plane().shape == (10, 40)


def test_what_fits_or_has_no_size_stays_as_it_is() -> None:
    stack = MicroscopyImage(np.ones((2, 3, 4), np.uint8), "zyx", (0.29, 0.29, 0.2901))
    assert at_voxel_size(stack, (0.29, 0.29, 0.29)) is stack
    assert at_voxel_size(stack, None) is stack
    unknown = MicroscopyImage(stack.data, "zyx")
    assert at_voxel_size(unknown, (1.0, 1.0, 1.0)) is unknown
