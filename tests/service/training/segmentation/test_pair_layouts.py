"""Folders as cellpose, StarDist and others leave them; what cannot be a pair is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import pytest
import tifffile
from label_folders import write_discs

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import write_image
from napari_ssp.progress import run
from napari_ssp.service import TrainRequest, plan_training
from napari_ssp.service.training.segmentation.images import read_training_images
from napari_ssp.service.training.segmentation.pairs import scan_pairs
from napari_ssp.service.training.segmentation.plan import find_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SHAPE = (24, 32)


def put(folder: Path, names: Iterable[str], pixels: np.ndarray | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    values = np.arange(24 * 32, dtype=np.uint16).reshape(SHAPE) if pixels is None else pixels
    for name in names:
        if name.endswith(".png"):
            (folder / name).write_bytes(imagecodecs.png_encode(values))
        elif name.endswith(".tif"):
            tifffile.imwrite(folder / name, values)
        else:
            (folder / name).write_bytes(b"text")


def pairs(folder: Path) -> list[tuple[str, str]]:
    scan = scan_pairs(folder)
    assert scan.problems == ()
    return [(pair.image.name, pair.labels.name) for pair in scan.pairs]


def test_labels_beside_their_images(tmp_path: Path) -> None:
    put(tmp_path, ["a.tif", "a_masks.tif", "b.tif", "b_cp_masks.png", "c.tif", "c_label.tif"])
    put(tmp_path, ["a_flows.tif", "b_flows_cp_masks.tif", "b_outlines_cp_masks.png", "a_rois.zip"])
    put(tmp_path, ["not_yet.tif", "lonely_masks.tif"])
    assert pairs(tmp_path) == [
        ("a.tif", "a_masks.tif"),
        ("b.tif", "b_cp_masks.png"),
        ("c.tif", "c_label.tif"),
    ]
    strays = [path.name for path in scan_pairs(tmp_path).strays]
    assert sorted(strays) == ["a_rois.zip", "lonely_masks.tif", "not_yet.tif"]
    assert scan_pairs(tmp_path, exclude=["a"]).count == 2


def test_names_of_the_cellpose_data_set(tmp_path: Path) -> None:
    put(tmp_path / "train", ["000_img.png", "000_masks.png", "001_img.png", "001_masks.png"])
    put(tmp_path / "test", ["002_img.png", "002_masks.png"])
    expected = [("000_img.png", "000_masks.png"), ("001_img.png", "001_masks.png")]
    assert pairs(tmp_path) == pairs(tmp_path / "train") == expected


@pytest.mark.parametrize("given", ["", "images"])
def test_folders_of_stardist(tmp_path: Path, given: str) -> None:
    put(tmp_path / "images", ["a.tif", "b.tif"])
    put(tmp_path / "masks", ["a.tif", "b.tif"])
    assert pairs(tmp_path / given) == [("a.tif", "a.tif"), ("b.tif", "b.tif")]


def test_what_is_learned_is_not_scored_as_well(tmp_path: Path) -> None:
    write_discs(tmp_path, 5)
    plan = plan_training(TrainRequest((tmp_path / "images",), tmp_path / "run"))
    assert (len(plan.training), len(plan.validation)) == (4, 1)


def test_what_systems_leave_is_no_image(tmp_path: Path) -> None:
    put(tmp_path, ["a.tif", "a_masks.tif", "~$a.tif", "._a.tif", "Thumbs.db"])
    assert pairs(tmp_path) == [("a.tif", "a_masks.tif")]
    assert scan_pairs(tmp_path).strays == ()


def test_labels_in_a_folder_of_images_only(tmp_path: Path) -> None:
    put(tmp_path / "images", ["a.tif", "a_masks.tif"])
    assert pairs(tmp_path) == pairs(tmp_path / "images") == [("a.tif", "a_masks.tif")]


def test_what_cellpose_left_among_images_is_skipped(tmp_path: Path) -> None:
    put(tmp_path / "images", ["a.tif", "a_cp_masks.png", "a_flows.tif", "a_seg.npy"])
    put(tmp_path / "labels", ["a.tif", "a_label.tif", "a_flows.tif"])
    assert pairs(tmp_path) == [("a.tif", "a_label.tif")]


def test_images_whose_own_names_end_like_labels(tmp_path: Path) -> None:
    put(tmp_path / "images", ["brain_seg.tif", "face_mask.tif"])
    put(tmp_path / "labels", ["brain_seg_label.tif", "face_mask.tif"])
    assert pairs(tmp_path) == [
        ("brain_seg.tif", "brain_seg_label.tif"),
        ("face_mask.tif", "face_mask.tif"),
    ]


def test_folders_of_splits(tmp_path: Path) -> None:
    write_discs(tmp_path / "d" / "train", 4)
    write_discs(tmp_path / "d" / "val", 2)
    write_discs(tmp_path / "d" / "test", 1)
    plan = plan_training(TrainRequest((tmp_path / "d",), tmp_path / "run"))
    assert (len(plan.training), len(plan.validation)) == (4, 2)


def test_a_folder_without_labels_is_explained(tmp_path: Path) -> None:
    put(tmp_path / "d", ["a.tif", "b.tif"])
    with pytest.raises(FileNotFoundError, match=r"or labels beside their images, e.g. a.tif"):
        plan_training(TrainRequest((tmp_path / "d",), tmp_path / "run"))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((32, 24), np.uint8), "Rows and columns are exchanged: transpose one of them."),
        (
            np.zeros((48, 64), np.uint8),
            "The labels are 2 times as large: resize them without interpolation.",
        ),
        (np.zeros((12, 16), np.uint8), "The labels are 0.5 times as large: resize"),
        (np.zeros((24, 30), np.uint8), r"the image is (24, 32) and its labels are (24, 30)"),
        (np.zeros((*SHAPE, 3), np.uint8), "three colours are the same everywhere: save one"),
    ],
)
@pytest.mark.parametrize("kind", ["tif", "png"])
def test_labels_that_do_not_fit_are_explained(
    tmp_path: Path, labels: np.ndarray, words: str, kind: str
) -> None:
    put(tmp_path, ["a.tif"])
    put(tmp_path, [f"a_masks.{kind}"], labels)
    (problem,) = scan_pairs(tmp_path).problems
    assert words in problem


def test_one_channel_per_class_is_no_label_image(tmp_path: Path) -> None:
    put(tmp_path, ["a.tif"])
    classes = MicroscopyImage(np.zeros((2, *SHAPE), np.uint8), "cyx")
    write_image(tmp_path / "a_masks.ome.tif", classes)
    (problem,) = scan_pairs(tmp_path).problems
    assert "its labels have 2 channels (shape (2, 24, 32)); give one number per object" in problem


def put_scenes(path: Path, planes: list[np.ndarray]) -> None:
    path.parent.mkdir(exist_ok=True)
    with tifffile.TiffWriter(path) as tif:
        for k, plane in enumerate(planes):
            tif.write(plane, metadata={"axes": "YX", "Name": f"Pos{k}"})


@pytest.mark.parametrize("layout", ["a file for each", "one file", "side by side"])
def test_every_image_of_a_file_is_learned_from(tmp_path: Path, layout: str) -> None:
    """With labels as `segment` names them, or in a file of as many images."""
    planes = [np.arange(24 * 32, dtype=np.uint16).reshape(SHAPE) + 7 * k for k in range(3)]
    labels = [np.full(SHAPE, k + 1, np.uint8) for k in range(3)]
    for k, one in enumerate(labels):
        one[: 4 + k] = 0
    place = tmp_path if layout == "side by side" else tmp_path / "images"
    put_scenes(place / "p.ome.tif", planes)
    if layout == "a file for each":
        for k, one in enumerate(labels):
            put(tmp_path / "labels", [f"p Pos{k}_label.tif"], one)
    else:
        folder = tmp_path if layout == "side by side" else tmp_path / "labels"
        put_scenes(folder / "p_label.ome.tif", labels)
    request = TrainRequest((tmp_path,), tmp_path / "run", (tmp_path,))
    files = find_files(request)
    assert [pair.name for pair in files.training] == ["p Pos0", "p Pos1", "p Pos2"]
    request.output.mkdir()
    found = run(read_training_images(files, request))
    assert [int((one.labels == 0).sum()) for one in found.training] == [128, 160, 192]
    found.close()


def test_images_of_a_file_without_labels_for_each_are_explained(tmp_path: Path) -> None:
    put_scenes(tmp_path / "a.ome.tif", [np.zeros(SHAPE, np.uint8)] * 2)
    put(tmp_path, ["a_masks.tif"])
    (problem,) = scan_pairs(tmp_path).problems
    assert "a.ome.tif holds 2 images (Pos0, Pos1), and a_masks.tif one image" in problem
