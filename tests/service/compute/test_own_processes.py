"""Processes beside this one give the same results, and outlive their own deaths."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import tifffile
import torch
from click.testing import CliRunner

from napari_ssp.cli import main
from napari_ssp.cli.batch import image_batch
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import ImageSource, read_image, read_label_image, write_image
from napari_ssp.io.napari_reader import read_layers
from napari_ssp.io.ngff.stored import StoredPixels
from napari_ssp.progress import Progress, run
from napari_ssp.service import (
    CancelledError,
    DiameterRequest,
    JobState,
    ModelService,
    PredictRequest,
    ReviewRequest,
    SegmentRequest,
    compartments_request,
)
from napari_ssp.service.blocks.running import Goal, segment_by_blocks
from napari_ssp.service.compute import by_path
from napari_ssp.service.compute.by_path import name_pixels
from napari_ssp.service.model_cache import ModelCache
from napari_ssp.service.model_service import SHARED_MODELS
from napari_ssp.service.review.ranking import RankFolderRequest
from napari_ssp.service.segmentation import beginning
from napari_ssp.service.series.listing import ImageState, SeriesImage, Stage
from napari_ssp.service.series.segmenting import SegmentSeriesRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari_ssp as ssp

pytest.importorskip("distributed")

_CHANGING = ("seconds", "finished")
#: Sums of float32, of networks that this process may have loaded in other circumstances.
_ROUNDING: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}
#: Noise has objects, too.
_LOOSE: dict[str, Any] = {"cell_threshold": 0.3, "flow_threshold": 0.0}


@pytest.fixture(scope="module")
def service() -> Iterator[ModelService]:
    with ModelService("processes:2") as service:
        yield service


@pytest.fixture(scope="module")
def local(job_threads: int) -> Iterator[ModelService]:
    """Here, with the number of threads that each of two workers has: sums depend on it."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    SHARED_MODELS.clear()  # kernels that were merged with more threads
    with ModelService() as service:
        yield service
    torch.set_num_threads(job_threads)


def _record(result: Any) -> dict[str, Any]:
    return {key: value for key, value in result.provenance.items() if key not in _CHANGING}


def _same_segmentation(one: ssp.Segmentation, other: ssp.Segmentation) -> None:
    for name in ("labels", "flows", "cell_probability"):
        ours, theirs = getattr(one, name), getattr(other, name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(theirs, ours, **_ROUNDING, err_msg=name)
    for name in ("axes", "voxel_size", "origin", "position", "full_axes", "warnings", "count"):
        assert getattr(one, name) == getattr(other, name), name
    assert _record(one) == _record(other)


def test_cells_are_the_same(
    service: ModelService, local: ModelService, finding_model: Path
) -> None:
    pixels = np.random.default_rng(1).integers(0, 4000, (2, 3, 90, 110), np.uint16)
    image = MicroscopyImage(pixels, "tcyx", (1.0, 0.5, 0.5), position=(0.0, 3.0, 4.0))
    choices = {"channel": 1, "region": (5, 80, 10, 100), **_LOOSE}
    request = SegmentRequest(image, str(finding_model), **choices)
    here = local.submit(request).result(60)
    assert here.num_objects > 3
    _same_segmentation(here, service.submit(request).result(60))


def test_cells_and_nuclei_are_found_there_and_assigned_here(
    service: ModelService,
    local: ModelService,
    finding_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (2, 60, 80), np.uint8)
    own = {"flow_threshold": 0.0, "min_size": 4}
    loose = own | {f"nuclei_{name}": value for name, value in own.items()}
    names = (str(finding_model), str(finding_model))
    request = compartments_request(pixels, *names, axes="cyx", channel=0, nuclei=1, **loose)
    here = local.submit(request).result()
    monkeypatch.setattr(ModelCache, "get", None)  # of this process
    there = service.submit(request).result()
    for name, labels in here.labels.items():
        np.testing.assert_array_equal(there.labels[name], labels)
    assert here.tally == there.tally
    assert min(here.tally.cells, here.tally.nuclei) > 3


def test_the_images_of_a_series_are_done_by_the_workers(
    service: ModelService, finding_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.random.default_rng(4).integers(0, 255, (80, 90), np.uint8))
    image = SeriesImage(
        ImageSource(path, None, "a"), ImageSource(tmp_path / "a_label.tiff", None, "a")
    )
    monkeypatch.setattr(beginning, "begin_segmentation", lambda *_, **__: pytest.fail("Done here."))
    request = SegmentSeriesRequest((image,), SegmentRequest(path, str(finding_model), **_LOOSE))
    (state,) = service.submit(request).result(60)
    found = int(read_label_image(tmp_path / "a_label.tiff").data.max())
    assert found > 1
    assert state == ImageState(Stage.SEGMENTED, f"{found} objects")


@pytest.mark.parametrize("name", ["cells.tif", "cells.ome.zarr"])
def test_a_file_is_read_where_it_is(
    service: ModelService, local: ModelService, finding_model: Path, tmp_path: Path, name: str
) -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (80, 90), np.uint8)
    path = write_image(tmp_path / name, MicroscopyImage(pixels, "yx"))
    request = SegmentRequest(path, str(finding_model), tta=True)
    _same_segmentation(local.submit(request).result(60), service.submit(request).result(60))


def test_a_large_zarr_goes_by_its_name_and_not_through_this_process(
    service: ModelService,
    local: ModelService,
    finding_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = np.random.default_rng(8).integers(0, 255, (80, 90), np.uint8)
    path = write_image(tmp_path / "cells.ome.zarr", MicroscopyImage(pixels, "yx"))
    request = SegmentRequest(read_image(path), str(finding_model))
    assert name_pixels(request) == (request, "sending the image, 0 MiB")
    monkeypatch.setattr(by_path, "MOST_COPIED", 1000)
    job = service.submit(request)
    told: list[str] = []
    job.events.progressed.connect(lambda step: told.append(step.stage))
    with monkeypatch.context() as patch:
        patch.setattr(StoredPixels, "__getitem__", lambda *_: pytest.fail("It was read here."))
        result = job.result(60)
    assert f"workers read '{path}' themselves" in told
    _same_segmentation(local.submit(request).result(60), result)
    cut = SegmentRequest(replace(request.image, data=request.image.data[:50]), "any")
    assert name_pixels(cut)[0] is cut  # a part is no file


@pytest.mark.parametrize("axes", ["zyx", "czyx"])
def test_a_layer_of_a_large_zarr_goes_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, axes: str
) -> None:
    monkeypatch.setattr(by_path, "MOST_COPIED", 1000)
    shape = (2, 3, 80, 90)[-len(axes) :]
    pixels = np.random.default_rng(8).integers(0, 255, shape, np.uint8)
    path = write_image(tmp_path / "cells.ome.zarr", MicroscopyImage(pixels, axes))
    layer, *_ = read_layers(str(path))[-1]
    named, words = name_pixels(SegmentRequest(MicroscopyImage(layer, "zyx"), "any"))
    assert words == f"workers read '{path}' themselves"
    last = pixels.reshape(-1, 3, 80, 90)[-1]
    np.testing.assert_array_equal(named.image.data[1:, 4], last[1:, 4])


def test_structures_are_the_same(
    service: ModelService, local: ModelService, tiny_structures: Path
) -> None:
    stack = np.random.default_rng(3).random((20, 40, 50), np.float32)
    request = PredictRequest(stack, ("dna", "nucleoli"), str(tiny_structures))
    here, there = local.submit(request).result(60), service.submit(request).result(60)
    assert list(here.images) == list(there.images)
    for task, image in here.images.items():
        np.testing.assert_allclose(there.images[task], image, **_ROUNDING)
    assert (here.warnings, _record(here)) == (there.warnings, _record(there))


def test_a_review_is_the_same(
    service: ModelService,
    local: ModelService,
    comparing_critic: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = np.zeros((70, 80), np.uint16)
    labels[5:20, 8:30], labels[40:60, 30:44] = 3, 9
    pixels = np.random.default_rng(0).integers(0, 255, labels.shape, np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    tifffile.imwrite(tmp_path / "a_label.tif", labels)
    flows = np.random.default_rng(1).random((3, *labels.shape), np.float32)
    asked = ReviewRequest(tmp_path / "a.tif", labels, str(comparing_critic), flows=flows)
    for request in (asked, replace(asked, labels=tmp_path / "a_label.tif", flows=None)):
        here, there = local.submit(request).result(60), service.submit(request).result(60)
        np.testing.assert_allclose(there.error_map, here.error_map, **_ROUNDING)
        np.testing.assert_allclose(there.image_errors, here.image_errors, **_ROUNDING)
        assert list(there.table["label"]) == list(here.table["label"])
        assert list(there.table["likely"]) == list(here.table["likely"])
        assert (here.warnings, _record(here)) == (there.warnings, _record(there))
    monkeypatch.setattr(ModelCache, "get", None)  # of this process
    ranking = service.submit(RankFolderRequest(tmp_path, str(comparing_critic))).result(60)
    assert [image.error for image in ranking.images] == [there.image_error]


def test_errors_are_the_same(
    service: ModelService, local: ModelService, finding_model: Path
) -> None:
    blank = np.zeros((80, 90), np.uint8)
    for request in (
        SegmentRequest(blank, str(finding_model), channel=3),
        SegmentRequest(blank, "no-such-model"),
        DiameterRequest(SegmentRequest(blank, str(finding_model))),
    ):
        said = []
        for one in (local, service):
            with pytest.raises((ValueError, FileNotFoundError)) as caught:
                one.submit(request).result(60)
            said.append((type(caught.value), str(caught.value)))
        assert said[0] == said[1]


def test_a_command_keeps_all_workers_busy(
    finding_model: Path, service: ModelService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise, images = np.random.default_rng(4), ["a", "b", "c", "d", "e"]
    for name in images:
        side = 70 if name == "b" else 150  # what is done first need not be listed first
        tifffile.imwrite(tmp_path / f"{name}.tif", noise.integers(0, 255, (side, 90), np.uint8))
    bad = tmp_path / "c.tif"
    tifffile.imwrite(bad, np.full((9, 9), np.nan, np.complex64))
    counted: list[int] = []
    monkeypatch.setattr(image_batch, "ModelService", lambda _: nullcontext(service))
    monkeypatch.setattr(service, "submit", _counting(service.submit, counted))
    words = ["segment", str(tmp_path), "--model", str(finding_model), "-o", str(tmp_path / "out")]
    report = tmp_path / "report.json"
    done = CliRunner().invoke(main, [*words, "--compute", "processes:2", "--json", str(report)])
    assert done.exit_code == 1, done.output
    rows = json.loads(report.read_text())["images"]
    assert [Path(row["image"]).stem for row in rows] == images
    assert [("error" in row) for row in rows] == [name == "c" for name in images]
    assert max(counted) > 1
    assert len(list((tmp_path / "out").glob("*.tiff"))) == len(images) - 1


def _counting(submit: Any, counted: list[int]) -> Any:
    """Submit, and note how many images are under way then."""
    jobs: list[Any] = []

    def submit_and_count(request: Any, plan: Any = None) -> Any:
        job = submit(request, plan)
        if isinstance(request, SegmentRequest):
            jobs.append(job)
            busy = (JobState.QUEUED, JobState.RUNNING)
            counted.append(sum(one.state in busy for one in jobs))
        return job

    return submit_and_count


def _long(model: Path, seed: int = 5) -> SegmentRequest:
    """Request of some seconds, in many steps."""
    pixels = np.random.default_rng(seed).integers(0, 255, (190, 190), np.uint8)
    return SegmentRequest(pixels, str(model), overlap=0.8, batch_size=1)


def _wait_until_half(job: ssp.Job[Any]) -> None:
    """Wait until a job is in the midst of its windows."""
    amid = threading.Event()

    def hear(progress: Any) -> None:
        if progress.stage == "windows" and progress.done > 3:
            amid.set()

    job.events.progressed.connect(hear)
    assert amid.wait(60)


def test_progress_is_told_and_a_cancelled_job_frees_its_worker(
    service: ModelService, tiny_model: Path
) -> None:
    jobs = [service.submit(_long(tiny_model, seed)) for seed in range(2)]
    for job in jobs:
        _wait_until_half(job)
    assert all(job.state is JobState.RUNNING for job in jobs)
    assert all(0 < job.progress.done < job.progress.total for job in jobs)
    began = time.monotonic()
    for job in jobs:
        job.cancel()
        with pytest.raises(CancelledError):
            job.result(10)
    small = SegmentRequest(np.zeros((64, 64), np.uint8), str(tiny_model))
    service.submit(small).result(60)
    assert time.monotonic() - began < 10  # the long ones would keep both workers longer


def _workers() -> list[psutil.Process]:
    """Processes of the workers: the server's youngest children, which have loaded torch."""
    (server,) = [p for p in psutil.Process().children() if "own_process" in " ".join(p.cmdline())]
    return [p for p in server.children() if "spawn_main" in " ".join(p.cmdline())]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
def test_a_killed_worker_costs_only_time(
    service: ModelService, local: ModelService, tiny_model: Path
) -> None:
    request = _long(tiny_model)
    job = service.submit(request)
    _wait_until_half(job)
    busiest = max(_workers(), key=lambda p: p.cpu_times().user)
    os.kill(busiest.pid, signal.SIGKILL)
    _same_segmentation(local.submit(request).result(60), job.result(60))


def _go_on_until(steps: Iterator[Progress], words: str) -> None:
    """Go on to the midst of a stage."""
    while True:
        step = next(steps)
        if step.stage.startswith(words) and step.done:
            return


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
def test_blocks_outlive_a_worker_and_then_who_asked_for_them(
    service: ModelService, local: ModelService, finding_model: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(7).integers(0, 255, (120, 130), np.uint8)
    image = write_image(tmp_path / "cells.ome.zarr", MicroscopyImage(pixels, "yx"))
    choices = {"tile": 64, "overlap": 0.25, "cell_threshold": 0.3, "flow_threshold": 1.0}
    request, target = SegmentRequest(image, str(finding_model), **choices), tmp_path / "cells.zarr"
    steps = segment_by_blocks(service, request, Goal(target))
    _go_on_until(steps, "network")
    os.kill(_workers()[0].pid, signal.SIGKILL)
    _go_on_until(steps, "tracking")
    steps.close()
    assert not target.exists()
    result = run(segment_by_blocks(service, request, Goal(target, resume=True)))
    here = local.submit(request).result(60)
    assert result.count == here.num_objects > 3
    np.testing.assert_array_equal(np.asarray(read_label_image(target).data), here.labels)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
def test_a_killed_server_is_started_again(
    service: ModelService, local: ModelService, tiny_model: Path
) -> None:
    request = _long(tiny_model)
    job = service.submit(request)
    _wait_until_half(job)
    workers = _workers()
    os.kill(workers[0].ppid(), signal.SIGKILL)
    _same_segmentation(local.submit(request).result(60), job.result(60))
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive


def test_nothing_is_left_of_a_closed_service(service: ModelService) -> None:
    own = _workers()
    service.close()
    _, alive = psutil.wait_procs(own, timeout=10)
    assert own
    assert not alive
