"""What is drawn in labels becomes examples, plane by plane, and only what changed is written."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image
from napari_ssp.progress import run
from napari_ssp.service.annotation.annotations import Annotation, AnnotationWriter, Outline
from napari_ssp.service.annotation.training_set import TrainingSet

if TYPE_CHECKING:
    from pathlib import Path

SQUARE = np.array([[2, 2], [2, 7.5], [6.5, 7.5], [6.5, 2]])


@pytest.fixture
def writer(tmp_path: Path) -> AnnotationWriter:
    return AnnotationWriter(TrainingSet(tmp_path / "set"))


def _annotation(labels: np.ndarray, area: tuple[Outline, ...] | None = None) -> Annotation:
    axes = "zyx"[-labels.ndim :]
    pixels = np.arange(labels.size, dtype=np.uint16).reshape(labels.shape)
    return Annotation(
        "n", MicroscopyImage(pixels, axes), MicroscopyImage(labels, axes, name="l"), area=area
    )


def _on_disk(writer: AnnotationWriter) -> dict[str, np.ndarray]:
    return {p.name: read_image(p.target).plane() for p in TrainingSet(writer.folder.folder).pairs()}


def test_outside_the_area_nothing_is_known(writer: AnnotationWriter) -> None:
    labels = np.zeros((9, 10), np.uint32)
    labels[3:5, 3:5] = 4
    labels[8, 0] = 9
    assert run(writer.steps(_annotation(labels, (Outline(SQUARE),)))) == 1
    expected = np.full((9, 10), -1)
    expected[2:7, 2:8] = 0
    expected[3:5, 3:5] = 4
    np.testing.assert_array_equal(_on_disk(writer)["n"], expected)


def test_an_area_without_objects_teaches_background(writer: AnnotationWriter) -> None:
    empty = np.zeros((9, 10), np.uint8)
    with pytest.raises(ValueError, match="'l' has no objects"):
        run(writer.steps(_annotation(empty)))
    run(writer.steps(_annotation(empty, (Outline(SQUARE),))))
    assert (_on_disk(writer)["n"] == 0).sum() == 30


def test_only_changed_planes_are_written(writer: AnnotationWriter) -> None:
    labels = np.zeros((3, 9, 10), np.int32)
    labels[1, 2, 2] = 1
    assert run(writer.steps(_annotation(labels))) == 1
    assert run(writer.steps(_annotation(labels))) == 0
    labels[1, 2, 3] = 2
    labels[2, 0, 0] = 3
    assert run(writer.steps(_annotation(labels))) == 2
    found = _on_disk(writer)
    assert set(found) == set(writer.names) == {"n_z1", "n_z2"}
    np.testing.assert_array_equal(found["n_z1"], labels[1])
    np.testing.assert_array_equal(found["n_z2"], labels[2])
    image = read_image(writer.folder.folder / "images" / "n_z2.tif").plane()
    np.testing.assert_array_equal(image, np.arange(180, 270).reshape(9, 10))
    labels[1] = 0
    run(writer.steps(_annotation(labels)))
    assert not _on_disk(writer)["n_z1"].any(), "what was erased is erased in the file"


def test_an_area_of_one_plane_leaves_the_others_out(writer: AnnotationWriter) -> None:
    labels = np.ones((2, 9, 10), np.int32)
    run(writer.steps(_annotation(labels, (Outline(SQUARE, (0, 1)),))))
    assert set(_on_disk(writer)) == {"n_z1"}


def test_a_chosen_channel_and_colours(writer: AnnotationWriter) -> None:
    channels = MicroscopyImage(np.stack([np.zeros((5, 6)), np.full((5, 6), 7.0)]), "cyx")
    colours = MicroscopyImage(np.full((5, 6, 3), 8, np.uint8), "yxc", rgb=True)
    labels = MicroscopyImage(np.ones((5, 6), int), "yx")
    run(writer.steps(Annotation("c", channels, labels, 1)))
    other = AnnotationWriter(writer.folder)
    run(other.steps(Annotation("rgb", colours, labels)))
    folder = writer.folder.folder / "images"
    assert (read_image(folder / "c.tif").plane() == 7).all()
    assert read_image(folder / "rgb.tif").plane().shape == (5, 6, 3)


def test_what_was_written_is_there_after_a_kill(tmp_path: Path) -> None:
    code = f"""
import os, signal
import numpy as np
from napari_ssp.image import MicroscopyImage
from napari_ssp.progress import run
from napari_ssp.service.annotation.annotations import Annotation, AnnotationWriter
from napari_ssp.service.annotation.training_set import TrainingSet
labels = np.zeros((20, 20), np.int32)
image = MicroscopyImage(np.ones((20, 20), np.uint8), "yx")
writer = AnnotationWriter(TrainingSet({str(tmp_path)!r}))
for number in range(1, 4):
    labels[number] = number
    run(writer.steps(Annotation("a", image, MicroscopyImage(labels, "yx"))))
steps = writer.steps(Annotation("a", image, MicroscopyImage(labels + 1, "yx")))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=120, check=False)
    assert done.returncode == -9
    (pair,) = TrainingSet(tmp_path).pairs()
    assert np.unique(read_image(pair.target).plane()).tolist() == [0, 1, 2, 3]
