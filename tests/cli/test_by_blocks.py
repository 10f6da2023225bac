"""Large planes to OME-Zarr on the command line, by blocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import napari_ssp as ssp
from napari_ssp.io import read_image, read_label_image, write_image
from napari_ssp.service.blocks import pieces
from napari_ssp.service.blocks.running import _Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Call = Callable[..., Result]

_CHOICES = {"tile": 64, "flow_threshold": 0.0, "overlap": 0.25}
pytestmark = pytest.mark.usefixtures("windows_seen_once")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pixels = np.random.default_rng(6).integers(0, 255, (70, 90), np.uint8)
    path = tmp_path_factory.mktemp("by-blocks") / "cells.ome.zarr"
    return write_image(path, ssp.MicroscopyImage(pixels, "yx", (1.0, 0.5, 0.5)))


def _words(image: Path, output: Path, model: Path) -> list[Any]:
    words = [f"--{name.replace('_', '-')}={value}" for name, value in _CHOICES.items()]
    return ["segment", image, "-o", output, "--model", model, "--format", "zarr", *words]


def test_a_run_that_failed_goes_on_by_resume(
    call: Call, image: Path, finding_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    words = _words(image, out, finding_model)
    with monkeypatch.context() as patch:

        def fail(run: Any) -> int:
            raise OSError("The disk was pulled out.")

        patch.setattr(_Run, "_create_labels", fail)
        failed = call(*words)
    assert failed.exit_code == 1
    assert "The disk was pulled out." in failed.output
    assert "finished blocks are kept; --resume goes on" in failed.output
    assert [path.name for path in out.iterdir()] == ["cells_label.zarr.unfinished"]
    refused = call(*words)
    assert refused.exit_code == 1
    assert "Go on with it (--resume)" in refused.output
    report = tmp_path / "report.json"
    done = call(*words, "--resume", "--json", report)
    assert done.exit_code == 0, done.output
    assert "by blocks, read where it lies: 4 blocks of 64 px, about" in done.output
    direct = ssp.segment(image, str(finding_model), **_CHOICES)
    labels = read_image(out / "cells_label.zarr")
    np.testing.assert_array_equal(labels.data, direct.labels)
    assert json.loads(report.read_text())["images"][0]["objects"] == direct.num_objects > 2
    again = call(*words, "--resume")
    assert again.exit_code == 0
    assert "1 of 1 images were done before" in again.output


def test_a_run_that_replaces_a_result_goes_on_by_resume(
    call: Call, image: Path, finding_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*_words(image, tmp_path / "out", finding_model), "--min-size"]
    assert call(*words, 1).exit_code == 0
    labels = tmp_path / "out" / "cells_label.zarr"
    assert np.asarray(read_label_image(labels).data).any()
    with monkeypatch.context() as patch:

        def fail(run: Any) -> int:
            raise OSError("The disk was pulled out.")

        patch.setattr(_Run, "_create_labels", fail)
        assert call(*words, 10_000, "--overwrite").exit_code == 1
    assert np.asarray(read_label_image(labels).data).any(), "it has not got there"
    assert call(*words, 1, "--resume").exit_code == 2
    done = call(*words, 10_000, "--resume")
    assert done.exit_code == 0, done.output
    assert not np.asarray(read_label_image(labels).data).any()


def test_labels_go_into_the_image_itself(call: Call, image: Path, finding_model: Path) -> None:
    done = call(*_words(image, image, finding_model))
    assert done.exit_code == 0, done.output
    assert [path.name for path in (image / "labels").iterdir() if path.is_dir()] == ["cells"]
    labels = read_label_image(image / "labels" / "cells")
    direct = ssp.segment(image, str(finding_model), **_CHOICES)
    np.testing.assert_array_equal(np.asarray(labels.data), direct.labels)
    assert labels.voxel_size == (1.0, 0.5, 0.5)


def test_an_image_that_workers_do_not_see_is_sent_when_it_is_small(
    call: Call, image: Path, finding_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "Path", lambda name: tmp_path / "elsewhere" / Path(name).name)
    words = _words(image, tmp_path / "out", finding_model)
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert "What computes does not see" in done.output
    assert "so its pixels are sent" in done.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cells_label.zarr"]
    monkeypatch.setattr("napari_ssp.service.compute.lending.MOST_SENT", 1000)
    failed = call(*words, "--overwrite")
    assert failed.exit_code == 1
    assert "put both on a disk that the server has as well" in failed.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cells_label.zarr"]
