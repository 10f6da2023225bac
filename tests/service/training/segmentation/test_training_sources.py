"""Cells are learned from Zarr and CZI as from TIFF."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image, write_labels
from napari_ssp.progress import run
from napari_ssp.service import TrainRequest, plan_training
from napari_ssp.service.training.segmentation.images import read_training_images
from napari_ssp.service.training.segmentation.plan import find_files
from napari_ssp.service.training.steps import train_steps

if TYPE_CHECKING:
    from pathlib import Path


def _labels(plane: np.ndarray) -> np.ndarray:
    """Columns of bright pixels, numbered: what matters here is where they come from."""
    bright = plane > np.median(plane)
    return np.where(bright, np.arange(plane.shape[1]) // 40 + 1, 0).astype(np.uint16)


@pytest.fixture
def data(tmp_path: Path, shared_data: Path) -> Path:
    """A CZI file with a Zarr of labels, a Zarr with a TIFF of labels, and TIFFs."""
    pytest.importorskip("pylibCZIrw.czi")
    folder, source = tmp_path / "data", shared_data / "reader_files"
    images, labels = folder / "images", folder / "labels"
    images.mkdir(parents=True)
    labels.mkdir()
    shutil.copyfile(source / "aics_single_plane.czi", images / "carl.czi")
    plane = read_image(images / "carl.czi").plane()
    write_labels(labels / "carl_label.ome.zarr", _labels(plane))
    half = MicroscopyImage(plane[:, ::2], "yx", (1.0, 0.5, 1.0))
    write_image(images / "next.ome.zarr", half)
    tifffile.imwrite(labels / "next_label.tif", _labels(plane[:, ::2]))
    for k in range(2):
        tifffile.imwrite(images / f"plain{k}.tif", plane[k::2])
        tifffile.imwrite(labels / f"plain{k}_label.tif", _labels(plane[k::2]))
    return folder


def test_each_format_gives_the_pixels_it_holds(
    data: Path, tmp_path: Path, tiny_model: Path
) -> None:
    request = TrainRequest(
        (data,),
        tmp_path / "run",
        base=str(tiny_model),
        minutes=None,
        steps=1,
        batch_size=2,
        crop=64,
        device="cpu",
        install="never",
    )
    plan = plan_training(request)
    assert sorted(plan.training + plan.validation) == ["carl", "next", "plain0", "plain1"]
    assert not plan.warnings[:-1], plan.warnings

    request.output.mkdir()
    files = find_files(request)
    found = run(read_training_images(files, request))
    by_name = {image.name: image for image in (*found.training, *found.validation)}
    plane = tifffile.imread(data / "images" / "plain0.tif")
    whole = read_image(data / "images" / "carl.czi").plane()
    np.testing.assert_array_equal(whole[0::2], plane)
    for name, expected in (
        ("carl", _labels(whole)),
        ("next", _labels(whole[:, ::2])),
        ("plain1", _labels(whole[1::2])),
    ):
        np.testing.assert_array_equal(by_name[name].labels, expected)
        assert by_name[name].pixels.shape[1:] == expected.shape
        assert np.ptp(by_name[name].pixels) > 200
    found.close()

    model = run(train_steps(request))
    assert model.base_metrics
    text = (request.output / "data.csv").read_text()
    for name in ("carl.czi", "carl_label.ome.zarr", "next.ome.zarr"):
        assert text.count(name) == 1
