from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import label

from napari_ssp.image import MicroscopyImage
from napari_ssp.measure import ManyObjectsError, check_objects

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_grey_values_are_no_labels(dtype: str) -> None:
    noise = RNG.poisson(120, (3, 128, 128)).astype(dtype)
    with pytest.raises(ManyObjectsError, match=r"objects in 16384 pixels .*looks like an image"):
        check_objects(MicroscopyImage(noise, "zyx", name="raw"))


def test_objects_of_a_few_pixels_each_are_asked_about() -> None:
    tiny = np.kron(np.arange(1, 64 * 64 + 1).reshape(64, 64), np.ones((2, 2), int))
    with pytest.raises(ManyObjectsError, match="4096 objects in 16384 pixels"):
        check_objects(MicroscopyImage(tiny, "yx"))


def test_labels_are_labels() -> None:
    dense = np.kron(np.arange(1, 901).reshape(30, 30), np.ones((4, 4), int))
    blobs = label(RNG.random((128, 128)) > 0.8)
    few = np.diag(np.arange(1, 10))
    for labels in (dense, blobs, few, np.zeros((200, 200), int)):
        check_objects(MicroscopyImage(labels, "yx"))
