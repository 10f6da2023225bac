from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_ssp.io import write_labels
from napari_ssp.metrics import average_precision, f1_score

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]


def _squares(count: int, shift: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    labels = np.zeros((60, 60), np.uint16)
    for k in range(count):
        y, x = 5 + 18 * (k // 3), 5 + 18 * (k % 3)
        labels[y : y + 10, x + shift : x + 10 + shift] = k + 1
    return labels


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    prediction, truth = tmp_path / "prediction", tmp_path / "truth"
    prediction.mkdir()
    truth.mkdir()
    for name, shift in (("a", 0), ("b", 3)):
        write_labels(truth / f"{name}_masks.tif", _squares(6))
        write_labels(prediction / f"{name}_label.tiff", _squares(6, shift))
    return prediction, truth


def test_scores_by_image_group_and_mean(
    call: Call, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    groups = tmp_path / "groups.csv"
    groups.write_text("id,modality\na,one\nb,two\n")
    report_file = tmp_path / "report.json"
    words = ("--prediction", folders[0], "--truth", folders[1], "--groups", groups)
    result = call("evaluate", "segmentation", *words, "--json", report_file)
    assert result.exit_code == 0, result.output
    report = json.loads(report_file.read_text())
    shifted = _squares(6, 3)
    assert [row["name"] for row in report["images"]] == ["a", "b"]
    assert report["groups"]["one"]["f1_0.90"] == 1.0
    assert report["groups"]["two"]["f1_0.50"] == f1_score(_squares(6), shifted)
    assert report["groups"]["two"]["ap_0.75"] == average_precision(_squares(6), shifted, [0.75])[0]
    assert report["mean"]["f1_0.75"] == 0.5
    # 70 of 130 pixels in common: all six match at an IoU of 7 / 13.
    assert report["images"][1]["pq"] == pytest.approx(7 / 13)
    assert report["images"][1]["rq"] == 1.0
    assert "mean of all" in result.output


def test_json_to_standard_output_is_only_json(call: Call, folders: tuple[Path, Path]) -> None:
    words = ("--prediction", folders[0], "--truth", folders[1], "--json", "-")
    assert json.loads(call("evaluate", "segmentation", *words).stdout)["mean"]["images"] == 2


def test_undefined_scores_are_null_in_the_report(call: Call, tmp_path: Path) -> None:
    write_labels(tmp_path / "empty.tif", _squares(0))
    words = ("--prediction", tmp_path / "empty.tif", "--truth", tmp_path / "empty.tif")
    text = call("evaluate", "segmentation", *words, "--json", "-").stdout
    assert "NaN" not in text  # which is no JSON
    assert json.loads(text)["images"][0]["ap_0.50"] is None


def test_single_files_need_no_common_name(call: Call, folders: tuple[Path, Path]) -> None:
    words = ("--prediction", folders[0] / "a_label.tiff", "--truth", folders[1] / "b_masks.tif")
    result = call("evaluate", "segmentation", *words, "--json", "-")
    assert json.loads(result.stdout)["mean"]["f1_0.50"] == 1.0


def test_missing_predictions_are_named(call: Call, folders: tuple[Path, Path]) -> None:
    (folders[0] / "b_label.tiff").unlink()
    result = call("evaluate", "segmentation", "--prediction", folders[0], "--truth", folders[1])
    assert result.exit_code == 2
    assert "1 of 2 truth images have no prediction" in result.stderr


def test_shapes_that_differ_are_named(call: Call, folders: tuple[Path, Path]) -> None:
    write_labels(folders[0] / "b_label.tiff", np.ones((5, 5), int), overwrite=True)
    result = call("evaluate", "segmentation", "--prediction", folders[0], "--truth", folders[1])
    assert result.exit_code == 2
    assert "'b': " in result.stderr
    assert "(5, 5)" in result.stderr
    assert "Give two label images of the same region" in result.stderr


def test_images_that_are_no_labels_are_named(call: Call, folders: tuple[Path, Path]) -> None:
    """In a folder of many images a person has to know which one is meant."""
    tifffile.imwrite(folders[0] / "b_label.tiff", np.full((60, 60), -2, np.int16))
    result = call("evaluate", "segmentation", "--prediction", folders[0], "--truth", folders[1])
    assert result.exit_code == 2
    assert "'b': The prediction holds the negative label -2" in result.stderr
    tifffile.imwrite(folders[0] / "b_label.tiff", np.full((60, 60), 0.5, np.float32))
    result = call("evaluate", "segmentation", "--prediction", folders[0], "--truth", folders[1])
    assert result.exit_code == 2
    assert "'b': The prediction has dtype float32" in result.stderr


def test_an_image_of_two_groups_is_refused(
    call: Call, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    groups = tmp_path / "g.csv"
    words = ("--prediction", folders[0], "--truth", folders[1], "--groups", groups)
    groups.write_text("id,modality\na,one\na,one\n")
    assert call("evaluate", "segmentation", *words).exit_code == 0
    groups.write_text("id,modality\na,one\nb,two\na,two\n")
    result = call("evaluate", "segmentation", *words)
    assert result.exit_code == 2
    assert "gives 'a' the modality 'two', a line before it 'one'" in " ".join(result.output.split())


def test_groups_without_the_column(call: Call, folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("name,kind\na,b\n")
    words = ("--prediction", folders[0], "--truth", folders[1], "--groups", tmp_path / "g.csv")
    result = call("evaluate", "segmentation", *words)
    assert result.exit_code == 2
    assert "'id' and 'modality'" in result.stderr
