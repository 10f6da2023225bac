"""An OME-Zarr segmented block by block into another one, whatever ends the run meanwhile."""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, read_label_image, write_image
from napari_ssp.io.ngff import pyramid
from napari_ssp.progress import run
from napari_ssp.registry import find_card
from napari_ssp.service import ModelService, SegmentRequest
from napari_ssp.service.blocks.running import Goal, segment_by_blocks
from napari_ssp.service.blocks.unfinished import LOOK, Unfinished, unfinished_folder
from napari_ssp.service.segmentation import plan as plan_module

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("windows_seen_once")


@pytest.fixture(scope="module")
def request_of_stack(finding_model: Path, stack_file: Path) -> SegmentRequest:
    choices = {"cell_threshold": 0.3, "flow_threshold": 1.0, "min_size": 4}
    return SegmentRequest(stack_file, str(finding_model), tile=64, overlap=0.25, **choices)


@pytest.fixture(scope="module")
def request_of_plane(request_of_stack: SegmentRequest) -> SegmentRequest:
    return replace(request_of_stack, plane=(0, 1))


@pytest.fixture(scope="module")
def whole(request_of_stack: SegmentRequest, service: ModelService) -> np.ndarray[Any, Any]:
    """Labels of one process that returns them."""
    labels = service.submit(request_of_stack).result().labels
    assert labels.max() > 20
    return labels


@pytest.fixture(scope="module")
def labels(request_of_plane: SegmentRequest, service: ModelService) -> np.ndarray[Any, Any]:
    """Those of its second plane alone."""
    return service.submit(request_of_plane).result().labels


@pytest.fixture(scope="module")
def complete(
    request_of_plane: SegmentRequest,
    service: ModelService,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Folder with all pieces, as if the run was killed before its last step."""
    target = tmp_path_factory.mktemp("complete") / "cells.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_, **__: None)
        run(segment_by_blocks(service, request_of_plane, Goal(target)))
    folder = unfinished_folder(target)
    target.rename(folder / "labels.zarr")
    return folder


def _read(path: Path) -> np.ndarray[Any, Any]:
    return np.asarray(read_label_image(path).data).squeeze()


def _stop(service: ModelService, request: SegmentRequest, goal: Goal, words: str) -> None:
    """Begin, and end in the midst of a stage."""
    steps = segment_by_blocks(service, request, goal)
    while True:
        step = next(steps)
        if step.stage.startswith(words) and step.done > 1:
            break
    steps.close()


def _counting(service: ModelService, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    submit = service.submit

    def noting(request: Any, *plan: Any) -> Any:
        if request.step != LOOK:
            made.append(f"{request.step} {request.key}")
        return submit(request, *plan)

    monkeypatch.setattr(service, "submit", noting)
    return made


def test_labels_are_those_of_the_whole(
    service: ModelService,
    request_of_stack: SegmentRequest,
    whole: np.ndarray[Any, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pyramid, "LARGEST_SIDE", 64)
    target = tmp_path / "cells.zarr"
    result = run(segment_by_blocks(service, request_of_stack, Goal(target)))
    np.testing.assert_array_equal(_read(target), whole)
    assert result.count == whole.max() == len(np.unique(whole)) - 1
    assert result.provenance["model"]["name"] == "finds"
    written = read_image(target)
    assert (written.axes, written.voxel_size) == ("zyx", (2.0, 0.5, 0.5))
    assert written.position == (0.0, 3.0, 4.0)
    assert [tuple(level.shape[1:]) for level in written.levels] == [(60, 40)]
    np.testing.assert_array_equal(np.asarray(written.levels[0]), whole[:, ::2, ::2])
    assert zarr.open_group(target)["0"].chunks == (1, 64, 64)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("zoom", [1.5, 0.6])
def test_a_region_of_one_plane_at_another_magnification(
    service: ModelService,
    request_of_stack: SegmentRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    zoom: float,
) -> None:
    card = replace(find_card(request_of_stack.model), zoom=zoom)
    monkeypatch.setattr(plan_module, "find_card", lambda name: card)
    request = replace(request_of_stack, region=(10, 110, 5, 75), plane=(0, 1))
    expected, target = service.submit(request).result(), tmp_path / "part.zarr"
    run(segment_by_blocks(service, request, Goal(target)))
    found = read_label_image(target)
    np.testing.assert_array_equal(np.asarray(found.data).squeeze(), expected.labels)
    assert expected.num_objects > 3
    assert found.origin == expected.origin == (0, 1, 10, 5)


@pytest.mark.parametrize("words", ["network", "tracking", "checking", "writing"])
def test_a_run_that_was_ended_goes_on(
    service: ModelService,
    request_of_plane: SegmentRequest,
    labels: np.ndarray[Any, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
) -> None:
    target = tmp_path / "cells.zarr"
    _stop(service, request_of_plane, Goal(target), words)
    ledger = unfinished_folder(target) / "ledger"
    before = {f"{path.parent.name} {path.stem}" for path in ledger.rglob("*.json")}
    assert before and not target.exists()
    made = _counting(service, monkeypatch)
    run(segment_by_blocks(service, request_of_plane, Goal(target, resume=True)))
    np.testing.assert_array_equal(_read(target), labels)
    assert not before & set(made)
    assert list(tmp_path.iterdir()) == [target]


def test_a_result_that_is_being_made_is_made_once(
    service: ModelService, request_of_plane: SegmentRequest, tmp_path: Path
) -> None:
    target = tmp_path / "cells.zarr"
    steps = segment_by_blocks(service, request_of_plane, Goal(target))
    while next(steps).done < 1:
        pass
    there = sorted(unfinished_folder(target).rglob("*"))
    for choice in ({"resume": True}, {"overwrite": True}, {}):
        with pytest.raises(BlockingIOError, match=r"is making '.*cells\.zarr\.unfinished'"):
            run(segment_by_blocks(service, request_of_plane, Goal(target, **choice)))
    assert sorted(unfinished_folder(target).rglob("*")) == there
    steps.close()
    run(segment_by_blocks(service, request_of_plane, Goal(target, resume=True)))
    assert list(tmp_path.iterdir()) == [target]


def _flip(path: Path) -> None:
    """Change one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damaged", "again"),
    [
        ("network/0-1-0.npy", {"network 0-1-0"}),
        ("clean/0-0-0.npy", {"clean 0-0-0"}),
        ("ledger/clean/0-1-1.json", {"clean 0-1-1"}),
        ("labels.zarr/0/c/0/0/0", {"labels 0-0-0"}),
    ],
)
def test_what_was_damaged_is_made_again(
    service: ModelService,
    request_of_plane: SegmentRequest,
    labels: np.ndarray[Any, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damaged: str,
    again: set[str],
    complete: Path,
) -> None:
    target = tmp_path / "cells.zarr"
    folder = unfinished_folder(target)
    shutil.copytree(complete, folder)
    _flip(folder / damaged)
    made = _counting(service, monkeypatch)
    run(segment_by_blocks(service, request_of_plane, Goal(target, resume=True)))
    assert set(made) == again
    np.testing.assert_array_equal(_read(target), labels)


def test_numbers_do_not_survive_the_objects_that_they_count(
    service: ModelService, request_of_plane: SegmentRequest, complete: Path, tmp_path: Path
) -> None:
    target = tmp_path / "cells.zarr"
    unfinished = Unfinished(unfinished_folder(target))
    shutil.copytree(complete, unfinished.folder)
    _flip(unfinished.folder / "objects" / "0-0-0.npy")
    steps = segment_by_blocks(service, request_of_plane, Goal(target, resume=True))
    while next(steps).stage != "tracking flows, blocks":
        pass
    assert not any(map(unfinished.finished, ("check", "clean", "choose", "labels")))
    assert unfinished.finished("network")
    steps.close()


def test_only_the_same_run_goes_on(
    service: ModelService, request_of_plane: SegmentRequest, tmp_path: Path
) -> None:
    target = tmp_path / "cells.zarr"
    _stop(service, request_of_plane, Goal(target), "network")
    with pytest.raises(FileExistsError, match=r"not finished.*--resume"):
        run(segment_by_blocks(service, request_of_plane, Goal(target)))
    other = replace(request_of_plane, min_size=9)
    with pytest.raises(ValueError, match=r"min_size was 4 and is 9.*--overwrite"):
        run(segment_by_blocks(service, other, Goal(target, resume=True)))
    description = unfinished_folder(target) / "run.json"
    content = json.loads(description.read_text())
    for key, words in (("pixels", "image is another one"), ("sha256", "model's weights")):
        description.write_text(json.dumps({**content, key: "0"}))
        with pytest.raises(ValueError, match=words):
            run(segment_by_blocks(service, request_of_plane, Goal(target, resume=True)))
    description.write_text("{")
    with pytest.raises(ValueError, match="does not say what it was begun with"):
        run(segment_by_blocks(service, request_of_plane, Goal(target, resume=True)))
    _stop(service, other, Goal(target, overwrite=True), "network")  # begins again


def test_a_full_disk_costs_only_what_was_being_written(
    service: ModelService,
    request_of_plane: SegmentRequest,
    labels: np.ndarray[Any, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "cells.zarr"
    _stop(service, request_of_plane, Goal(target), "tracking")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("numpy.lib.format.write_array_header_1_0", full)
        with pytest.raises(OSError, match="Free some space"):
            run(segment_by_blocks(service, request_of_plane, Goal(target, resume=True)))
    assert not target.exists()
    run(segment_by_blocks(service, request_of_plane, Goal(target, resume=True)))
    np.testing.assert_array_equal(_read(target), labels)


def test_an_image_without_contrast_gives_no_objects_and_says_so(
    service: ModelService, request_of_plane: SegmentRequest, tmp_path: Path
) -> None:
    image = MicroscopyImage(np.full((70, 80), 9, np.uint8), "yx")
    path = write_image(tmp_path / "blank.ome.zarr", image)
    request = replace(request_of_plane, image=path, plane=None, cell_threshold=1.0)
    result = run(segment_by_blocks(service, request, Goal(tmp_path / "cells.zarr")))
    assert result.count == 0
    assert result.warnings == service.submit(request).result().warnings
    assert "No objects can be found" in result.warnings[0]
    assert not _read(tmp_path / "cells.zarr").any()
