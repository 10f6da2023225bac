"""Decisions about objects: where they are kept, and that they are found again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_ssp import MicroscopyImage, ModelService
from napari_ssp.service.review.decisions import (
    Decision,
    FindDecisionsRequest,
    KeepDecisionsRequest,
    ObjectKey,
    read_decisions,
)

MADE = {ObjectKey(3): Decision.ACCEPTED, ObjectKey(7, 1, 2): Decision.EDITED}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "user"))


def _labels(dtype: type = np.uint32, shape: tuple[int, ...] = (4, 5)) -> MicroscopyImage:
    return MicroscopyImage(
        np.arange(20, dtype=dtype).reshape(shape), "zyx"[-len(shape) :], name="cells"
    )


def _keep(labels: MicroscopyImage, path: Path | None, scene: str | None = None) -> Path:
    with ModelService() as service:
        return service.submit(KeepDecisionsRequest(labels, path, scene, MADE)).result()


def _find(labels: MicroscopyImage, path: Path | None, scene: str | None = None) -> dict:
    with ModelService() as service:
        return service.submit(FindDecisionsRequest(labels, path, scene)).result()


def test_decisions_lie_beside_the_labels_file(tmp_path: Path) -> None:
    file = tmp_path / "cells_label.tif"
    file.touch()
    kept = _keep(_labels(), file)
    assert kept == tmp_path / "cells_label.tif.review.json"
    content = json.loads(kept.read_text(encoding="utf-8"))
    assert content["decisions"][1] == {"label": 7, "t": 1, "z": 2, "decision": "edited"}
    assert _find(_labels(), file) == MADE
    assert _keep(_labels(), file, "well A/1").name == "cells_label.tif.well_A_1.review.json"


def test_labels_without_a_file_are_known_by_their_pixels() -> None:
    _keep(_labels(), None)
    assert _find(_labels(), None) == MADE
    other = _labels()
    other.data[0, 0] = 9
    assert _find(other, None) == {}


def test_labels_saved_under_another_name_and_type_are_known(tmp_path: Path) -> None:
    first, second = tmp_path / "first.tif", tmp_path / "second.tif"
    first.touch()
    second.touch()
    _keep(_labels(np.int64), first)
    assert _find(_labels(np.uint16, (1, 4, 5)), second) == MADE


def test_a_folder_that_may_not_be_written_to_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cells.tif"
    file.touch()
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    kept = _keep(_labels(), file)
    assert kept.parent == tmp_path / "user" / "reviews"
    assert _find(_labels(), file) == MADE


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "x"}', '{"kind": 1, "decisions": [1]}'])
def test_a_file_of_another_kind_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.tif.review.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"a\.tif\.review\.json' holds no decisions"):
        read_decisions(path)


def test_a_later_kind_of_decision_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "cells.tif"
    file.touch()
    kept = _keep(_labels(), file)
    kept.write_text(kept.read_text().replace("edited", "postponed"))
    assert _find(_labels(), file) == {ObjectKey(3): Decision.ACCEPTED}
