"""From a stack of transmitted light to a table of nuclei in one command."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import napari_ssp as ssp
from napari_ssp.io import read_image, read_label_image, write_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

PIXELS = np.random.default_rng(0).normal(100, 20, (3, 32, 40)).astype(np.float32)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "field.ome.tif"
    write_image(path, ssp.MicroscopyImage(PIXELS, "zyx", (0.29, 0.29, 0.29)))
    return path


def test_labels_prediction_and_table_are_written(
    call: Call, stack: Path, finding_model: Path, tiny_structures: Path, tmp_path: Path
) -> None:
    choices = {"flow_threshold": 0.0, "min_size": 4, "stacks": "linked"}
    words = [word for k, v in choices.items() for word in (f"--{k.replace('_', '-')}", v)]
    models = ("--model", finding_model, "--through", "dna", "--through-model", tiny_structures)
    out = tmp_path / "out"
    result = call("segment", stack, "-o", out, *models, *words, "--json", "-")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["images"]
    through: Any = {"through": "dna", "through_model": tiny_structures}
    found = ssp.segment(read_image(stack), finding_model, **choices, **through)
    assert found.table is not None
    assert found.predicted is not None
    labels = read_label_image(out / "field_label.tiff")
    np.testing.assert_array_equal(np.asarray(labels.data), found.labels)
    predicted = read_image(out / "field_prediction.ome.tif")
    np.testing.assert_array_equal(np.asarray(predicted.data), np.asarray(found.predicted.data))
    assert predicted.channel_names == ("dna",)
    with (out / "field_objects.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(r["label"]) for r in rows] == found.table["label"].tolist()
    np.testing.assert_allclose([float(r["mean_dna"]) for r in rows], found.table["mean_dna"])
    assert row["objects"] == len(rows) == found.num_objects
    assert row["table"] == str(out / "field_objects.csv")
    assert row["provenance"]["through"]["model"]["name"] == "tiny-structures"
    again = call("segment", stack, "-o", out, *models)
    assert again.exit_code == 2
    assert "3 outputs exist already" in again.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--through", "cells"), "does not know the structure 'cells'"),
        (("--through", "dapi", "--through-model", "mediar-starter"), "segments cells"),
        (("--through", "dapi", "--estimate-diameter"), "predict 'dapi' first"),
    ],
)
def test_what_cannot_be_done_is_said_before_work(
    call: Call, stack: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    result = call("segment", stack, "-o", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
