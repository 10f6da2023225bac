"""Cells from CSV files: the same pairs and checks as from folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from label_folders import write_discs

from napari_ssp.progress import run as drive
from napari_ssp.service import TrainRequest, plan_training
from napari_ssp.service.training.segmentation.images import read_training_images
from napari_ssp.service.training.segmentation.pairs import scan_pairs
from napari_ssp.service.training.segmentation.plan import find_files

if TYPE_CHECKING:
    from pathlib import Path


def _table(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "pairs.csv"
    path.write_text("\n".join(lines) + "\n", encoding)
    return path


def test_a_table_gives_the_pairs_of_its_folder(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "d", 2)
    lines = [f"d/images/im{k}.tif,d/labels/im{k}_label.tif" for k in (0, 1)]
    table = _table(tmp_path, "image,label", *lines)
    assert scan_pairs(table).pairs == scan_pairs(data).pairs
    assert [pair.name for pair in scan_pairs(table, ["im0"]).pairs] == ["im1"]
    table = _table(tmp_path, "\ufeffimage;label", *(line.replace(",", ";") for line in lines))
    assert scan_pairs(table).pairs == scan_pairs(data).pairs


def test_a_column_says_what_is_learned_and_what_is_scored(tmp_path: Path) -> None:
    write_discs(tmp_path / "d", 6)
    splits = ("train", "val", "", "Validation", "test", "train")
    lines = [f"d/images/im{k}.tif,d/labels/im{k}_label.tif,{s}" for k, s in enumerate(splits)]
    table = _table(tmp_path, "image,label,split", *lines)
    request = TrainRequest((table,), tmp_path / "run")
    plan = plan_training(request)
    assert (plan.training, plan.validation) == (("im0", "im2", "im5"), ("im1", "im3"))
    assert not plan.strip
    assert "2 for validation; " in plan.summary
    both = plan_training(TrainRequest((table,), tmp_path / "run", (table,)))
    assert both.validation == ("im1", "im2", "im3")
    assert any("scored as well: im2" in warning for warning in both.warnings)


def test_a_channel_is_chosen(tmp_path: Path) -> None:
    write_discs(tmp_path / "d", 1)
    image = tifffile.imread(tmp_path / "d" / "images" / "im0.tif")
    both = np.stack([np.zeros_like(image), image])
    tifffile.imwrite(tmp_path / "two.tif", both, imagej=True, metadata={"axes": "CYX"})
    table = _table(tmp_path, "image,label,channel", "two.tif,d/labels/im0_label.tif,1")
    request = TrainRequest((table,), tmp_path / "run")
    (tmp_path / "run").mkdir()
    images = drive(read_training_images(find_files(request), request))
    plain = TrainRequest((tmp_path / "d",), tmp_path / "run")
    expected = drive(read_training_images(find_files(plain), plain))
    np.testing.assert_array_equal(images.training[0].pixels, expected.training[0].pixels)


def test_all_that_is_wrong_is_said_together(tmp_path: Path) -> None:
    write_discs(tmp_path / "d", 4)
    (tmp_path / "d" / "images" / "im0.tif").write_bytes(b"II*\0broken")
    table = _table(
        tmp_path,
        "image,label,split,channel",
        "d/images/im0.tif,d/labels/im0_label.tif,train,",
        "gone.tif,d/labels/im1_label.tif,train,",
        "d/images/im2.tif,,train,",
        "d/images/im3.tif,d/labels/im3_label.tif,val,red",
        "d/images/im1.tif,d/labels/im1_label.tif,val,4",
    )
    other = tmp_path / "other.csv"
    other.write_text("picture,label\na,b\n")
    with pytest.raises(ValueError, match="5 of 5 training pairs") as caught:
        plan_training(TrainRequest((table, other), tmp_path / "run"))
    for words in (
        "other.csv lacks the columns image",
        "line 2: im0.tif",
        "line 3: there is no file",
        "line 4: no label",
        "line 5: a channel is a number from 0, got 'red'",
        "line 6: im1.tif: it has 1 channel, so there is no 4",
    ):
        assert words in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_other_files_are_no_tables(tmp_path: Path) -> None:
    table = _table(tmp_path, "image,label,Größe", "a,b,c", encoding="cp1252")
    assert "not text in UTF-8" in scan_pairs(table).problems[0]
    assert "lacks the columns image, label" in scan_pairs(_table(tmp_path, "")).problems[0]
    assert (
        "no images at all" in scan_pairs(_table(tmp_path, "image,label,split", "a,b,x")).problems[0]
    )
