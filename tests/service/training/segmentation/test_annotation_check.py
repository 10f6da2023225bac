from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_ssp.progress import run
from napari_ssp.service import TrainRequest
from napari_ssp.service.training.segmentation.images import read_training_images
from napari_ssp.service.training.segmentation.plan import find_files

if TYPE_CHECKING:
    from pathlib import Path


def _request(folder: Path, labels: Any) -> TrainRequest:
    picture = np.arange(labels.size).reshape(labels.shape) % 11 + labels * 37 % 200
    for part, pixels in (("images", picture.astype(np.uint8)), ("labels", labels)):
        (folder / part).mkdir(parents=True)
        name = "a.tif" if part == "images" else "a_label.tif"
        tifffile.imwrite(folder / part / name, pixels, photometric="minisblack")
    return TrainRequest((folder,), folder / "run")


def _tissue() -> Any:
    """Cells that fill the image, no background between them."""
    y, x = np.mgrid[:160, :200]
    return (1 + y // 20 * 10 + x // 20).astype(np.int32)


def _read(request: TrainRequest) -> Any:
    request.output.mkdir()
    return run(read_training_images(find_files(request), request))


def test_tissue_without_background_is_learned_from_also_beside_a_strip(tmp_path: Path) -> None:
    images = _read(_request(tmp_path, _tissue()))
    assert len(images.training) == len(images.validation) == 1
    images.close()


def test_a_few_cells_and_nothing_else_teach_no_background(tmp_path: Path) -> None:
    few = np.where(_tissue() % 7 == 1, _tissue(), -1)
    with pytest.raises(ValueError, match="no background"):
        _read(_request(tmp_path, few))
    few[:5] = 0
    _read(_request(tmp_path / "better", few)).close()


def test_labels_without_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="None of the 1 training images has an annotated object"):
        _read(_request(tmp_path, np.zeros((160, 200), np.int32)))
