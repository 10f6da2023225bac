"""Ranking of a folder's images by the predicted errors of their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import imageio.v3 as iio
import numpy as np
import pytest
from skimage import data

import napari_ssp as ssp
from napari_ssp.service import ModelService
from napari_ssp.service.review.ranking import RankFolderRequest

if TYPE_CHECKING:
    from pathlib import Path


def test_the_worst_images_come_first(tiny_critic: Path, tmp_path: Path) -> None:
    expected = {}
    for k, name in enumerate("abc"):
        image, labels = data.coins()[k * 40 :][:40, :60], np.zeros((40, 60), np.uint8)
        labels[5 : 10 + 9 * k, 5:15] = 1
        labels[5:35, 30:50] = 2
        iio.imwrite(tmp_path / f"{name}.png", image)
        iio.imwrite(tmp_path / f"{name}_masks.png", labels)
        expected[f"{name}.png"] = ssp.review(image, labels, str(tiny_critic)).image_error
    with ModelService() as service:
        found = service.submit(RankFolderRequest(tmp_path, str(tiny_critic))).result()
    errors = [image.error for image in found.images]
    assert errors == sorted(expected.values(), reverse=True)
    assert {image.image.name: image.error for image in found.images} == expected
    assert {image.count for image in found.images} == {2}
    assert found.images[0].labels.name == f"{found.images[0].image.stem}_masks.png"


def test_a_folder_without_labels_is_refused(tiny_critic: Path, tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "a.png", data.coins()[:40, :60])
    with ModelService() as service, pytest.raises(ValueError, match="labels"):
        service.submit(RankFolderRequest(tmp_path, str(tiny_critic))).result()
