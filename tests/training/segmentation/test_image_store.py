from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.training.data import LabelledImage
from napari_ssp.training.segmentation.image_store import store_images

if TYPE_CHECKING:
    from pathlib import Path


def _images() -> list[LabelledImage]:
    rng = np.random.default_rng(0)
    return [
        LabelledImage(
            f"im{k}",
            rng.integers(0, 255, (channels, *shape)).astype(np.uint8),
            rng.integers(-1, 5, shape).astype(np.int32),
        )
        for k, (channels, shape) in enumerate([(1, (3, 5)), (3, (7, 4)), (1, (2, 2)), (3, (6, 9))])
    ]


def _check(store: object, images: list[LabelledImage]) -> None:
    for found, image in zip(store, images, strict=True):  # type: ignore[call-overload]
        assert found.name == image.name
        np.testing.assert_array_equal(found.pixels, image.pixels)
        np.testing.assert_array_equal(found.labels, image.labels)


def test_few_images_stay_in_memory(tmp_path: Path) -> None:
    store = store_images(_images(), tmp_path / "images")
    _check(store, _images())
    assert not (tmp_path / "images").exists()


def test_many_images_are_mapped_from_a_file(tmp_path: Path) -> None:
    store = store_images(_images(), tmp_path / "images", budget=200)
    _check(store, _images())
    assert isinstance(store[1].pixels.base, np.memmap)
    _check(pickle.loads(pickle.dumps(store)), _images())
    assert len(pickle.dumps(store)) < 2000
    assert [image.name for image in store[1:3]] == ["im1", "im2"]
    store.close()
    assert not (tmp_path / "images").exists()
