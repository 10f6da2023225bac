"""Files with several images, and sets of files, as training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from image_files import noise, write_channel_set, write_positions

from napari_ssp.io import write_labels
from napari_ssp.service.training.requests import Crops
from napari_ssp.service.training.segmentation.masks import read_labels
from napari_ssp.service.training.segmentation.pairs import scan_pairs
from napari_ssp.service.training.structures.pairs import PairFiles, scan_structures

if TYPE_CHECKING:
    from pathlib import Path

A, B = noise(20, 30, seed=1), noise(20, 30, seed=2)
NOTE = bytes([0, 5, 22, 7]) + bytes(99)


def label_image(count: int) -> np.ndarray:
    labels = np.zeros((20, 30), np.uint16)
    for k in range(count):
        labels[4 * k + 1 : 4 * k + 3, 3:9] = k + 1
    return labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "._a.tif").write_bytes(NOTE)
        (tmp_path / part / "Thumbs.db").write_bytes(NOTE)
    return tmp_path


def counts(folder: Path) -> dict[str, int]:
    """Objects of each pair."""
    scan = scan_pairs(folder)
    assert not scan.problems
    assert not scan.strays
    return {pair.name: int(read_labels(pair, Crops()).max()) for pair in scan.pairs}


def test_scenes_are_paired_with_those_of_a_label_file(folder: Path) -> None:
    write_positions(folder / "images" / "a.ome.tif", [A, B], ["P0", "P1"])
    labels = [label_image(3), label_image(2)]
    write_positions(folder / "labels" / "a_label.ome.tif", labels, ["P1", "P0"])
    assert counts(folder) == {"a P0": 2, "a P1": 3}
    assert [pair.name for pair in scan_pairs(folder, exclude=["a P0"]).pairs] == ["a P1"]
    assert not scan_pairs(folder, exclude=["a"]).pairs


def test_scenes_are_paired_with_labels_of_their_own_names(folder: Path) -> None:
    write_positions(folder / "images" / "a.ome.tif", [A, B], ["P0", "P1"])
    for name, count in (("P0", 1), ("P1", 4)):
        write_labels(folder / "labels" / f"a {name}_label.tif", label_image(count))
    assert counts(folder) == {"a P0": 1, "a P1": 4}
    (folder / "labels" / "a P1_label.tif").unlink()
    (problem,) = scan_pairs(folder).problems
    assert "scene P1: no label file for a P1" in problem


def test_scenes_without_as_many_labels_are_a_problem(folder: Path) -> None:
    write_positions(folder / "images" / "a.ome.tif", [A, B], ["P0", "P1"])
    write_labels(folder / "labels" / "a_label.tif", label_image(2))
    scan = scan_pairs(folder)
    assert not scan.strays
    (problem,) = scan.problems
    assert "a.ome.tif holds 2 images (P0, P1), and a_label.tif one image" in problem


def test_a_set_is_one_training_image(folder: Path) -> None:
    write_channel_set(folder / "images", [A, B])
    write_labels(folder / "labels" / "set_C0_label.tif", label_image(2))
    assert counts(folder) == {"set_C0": 2}
    assert "set_C1.ome.tif belongs to the set of" in scan_pairs(folder).notes[0]


def test_a_table_line_names_all_scenes_of_its_files(folder: Path) -> None:
    write_positions(folder / "images" / "a.ome.tif", [A, B], ["P0", "P1"])
    labels = [label_image(3), label_image(2)]
    write_positions(folder / "labels" / "a_label.ome.tif", labels, ["P0", "P1"])
    table = folder / "pairs.csv"
    table.write_text("image,label\nimages/a.ome.tif,labels/a_label.ome.tif\n", encoding="utf-8")
    assert counts(table) == {"a P0": 3, "a P1": 2}


def test_stacks_are_paired_scene_by_scene(tmp_path: Path) -> None:
    for part in ("signal", "target"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "._a.ome.tif").write_bytes(NOTE)
        with tifffile.TiffWriter(tmp_path / part / "a.ome.tif") as tif:
            for k in range(2):
                options = {"metadata": {"axes": "ZYX", "Name": f"S{k}"}}
                tif.write(noise(3, 8, 9, seed=k), photometric="minisblack", **options)
    scan = scan_structures(tmp_path)
    assert (scan.problems, scan.strays) == ((), ())
    pairs = [pair for pair in scan.pairs if isinstance(pair, PairFiles)]
    found = [(pair.name, pair.scene_signal, pair.scene_target) for pair in pairs]
    assert found == [("a S0", "S0", "S0"), ("a S1", "S1", "S1")]
