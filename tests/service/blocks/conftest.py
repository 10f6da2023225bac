"""A stack in an OME-Zarr that is segmented by blocks, and who does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import write_image
from napari_ssp.service import ModelService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def service() -> Iterator[ModelService]:
    with ModelService() as service:
        yield service


@pytest.fixture(scope="session")
def stack_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two planes, each of 2 x 2 blocks of 64 pixels."""
    pixels = np.random.default_rng(5).integers(0, 4000, (2, 120, 80), np.uint16)
    image = MicroscopyImage(pixels, "zyx", (2.0, 0.5, 0.5), position=(0.0, 3.0, 4.0))
    return write_image(tmp_path_factory.mktemp("stack") / "stack.ome.zarr", image)
