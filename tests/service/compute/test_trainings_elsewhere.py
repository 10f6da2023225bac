"""Trainings on a worker: the same models, whether it sees the files or is sent the data."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import tifffile
import torch
from encoder_networks import SMALL, full_network

from napari_ssp.registry import find_card
from napari_ssp.service import (
    CancelledError,
    FinishTrainingRequest,
    JobState,
    ModelService,
    TrainingState,
    TrainRequest,
    TrainStructuresRequest,
    model_service,
)
from napari_ssp.service.compute.processes import OwnServer
from napari_ssp.service.compute.trainings import sending
from napari_ssp.service.training.critic.requests import TrainCriticRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("distributed")

#: Seconds, on a computer with much else to do.
_PATIENCE = 300


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    server = OwnServer(1)
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def sent(server: OwnServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelService]:
    """Worker that is sent the data, as that of a server."""
    bundle = tmp_path_factory.mktemp("bundle") / "gpu.json"
    server.start().write(bundle)
    with ModelService(bundle) as service:
        yield service


@pytest.fixture(scope="module")
def by_path(server: OwnServer) -> Iterator[ModelService]:
    """The same worker, which sees the files."""
    from napari_ssp.service.compute.cluster import Cluster

    with pytest.MonkeyPatch.context() as patch:
        found = Cluster(server.start, shares_files=True)
        patch.setattr(model_service, "open_cluster", lambda _: found)
        service = ModelService("processes")
    with service:
        yield service


@pytest.fixture
def local(job_threads: int) -> Iterator[ModelService]:
    torch.set_num_threads(job_threads)
    with ModelService() as service:
        yield service


def _dots(folder: Path) -> Path:
    """Two images of dots with labels."""
    rng = np.random.default_rng(0)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    y, x = np.mgrid[:80, :80]
    for k in range(2):
        labels = np.zeros((80, 80), np.uint16)
        for number, (cy, cx) in enumerate(rng.integers(10, 70, (4, 2)), 1):
            labels[(y - cy) ** 2 + (x - cx) ** 2 <= 64] = number
        image = (labels > 0) * 150 + rng.integers(0, 40, labels.shape)
        tifffile.imwrite(folder / "images" / f"im{k}.tif", image.astype(np.uint8))
        tifffile.imwrite(folder / "labels" / f"im{k}_label.tif", labels)
    return folder


@pytest.fixture(scope="module")
def actin(tiny_structures: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Request to learn a structure from a stack of two channels."""
    folder = tmp_path_factory.mktemp("stacks")
    signal = np.random.default_rng(1).integers(0, 200, (16, 40, 176), np.uint8)
    for part, pixels in (("signal", signal), ("target", 255 - signal)):
        (folder / "actin" / part).mkdir(parents=True)
        tifffile.imwrite(folder / "actin" / part / "a.tif", pixels, photometric="minisblack")
    few: dict[str, Any] = {"crop": (16, 32, 32), "batch_size": 2, "steps": 8, "device": "cpu"}
    own = {"base": str(tiny_structures), "like": "dna", "install": "never"}
    return TrainStructuresRequest((folder / "actin",), folder / "here", **own, **few)


@pytest.fixture(scope="module")
def actin_here(actin: Any, job_threads: int) -> Any:
    """The same, learned in this process."""
    torch.set_num_threads(job_threads)
    with ModelService() as local:
        return local.submit(actin).result(_PATIENCE)


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "minutes"} for row in csv.DictReader(file)]


def _same_run(here: Any, there: Any) -> None:
    """Two runs have come to the same, and to what is on this computer in files and names."""
    assert there.metrics == here.metrics
    assert there.base_metrics == here.base_metrics
    assert there.warnings == here.warnings
    cards = [replace(find_card(run.folder), name="") for run in (here, there)]
    assert cards[0].text() == cards[1].text()  # with the digest of the weights
    assert _rows(there.folder) == _rows(here.folder)
    one, other = (json.loads((run.folder / "request.json").read_text()) for run in (here, there))
    assert other == one | {"output": str(there.folder)}
    texts = [(run.folder / "data.csv").read_text() for run in (here, there)]
    assert texts[0] == texts[1]


def _scratch(server: OwnServer) -> list[Path]:
    """Temporary folders of the server's processes."""
    own = psutil.Process(server.pid).children(recursive=True)
    places = (Path(tempfile.gettempdir()).glob(f"napari-ssp-*-{p.pid}-*") for p in own)
    return [path for place in places for path in place]


def test_cells_are_learned_from_data_that_were_sent(
    sent: ModelService, server: OwnServer, tmp_path: Path, job_threads: int
) -> None:
    small = {"encoder": f"tu-{SMALL}", "decoder_channels": (8, 8, 8, 8), "pab_channels": 4}
    few = {"crop": 64, "batch_size": 2, "steps": 2, "minutes": None, "device": "cpu"}
    data, own = (_dots(tmp_path / "dots"),), {"name": "sent-dots", "install": "always"}
    request = TrainRequest(data, tmp_path / "here", **small, **few, **own)
    torch.set_num_threads(job_threads)
    with ModelService() as local:
        here = local.submit(request).result(_PATIENCE)
    job = sent.submit(replace(request, output=tmp_path / "there"))
    states: list[Any] = []
    job.events.progressed.connect(lambda step: states.append(step.preview))
    there = job.result(_PATIENCE)
    assert job.progress.stage == "making the model"
    _same_run(here, there)
    assert (there.installed, there.name) == (True, "sent-dots-2")
    assert find_card("sent-dots-2").sha256 == find_card("sent-dots").sha256
    told = [state for state in states if isinstance(state, TrainingState)]
    assert (told[-1].step, len(told[-1].rows)) == (2, len(_rows(there.folder)))
    pictures = [state.preview for state in told]
    _, image, truth, found = next(picture for picture in pictures if picture)
    assert image.shape == truth.shape == found.shape
    assert truth.dtype == np.int32
    assert _scratch(server) == []


def _until_learned(job: Any) -> None:
    """Wait until a training has come to its third step."""
    amid = threading.Event()

    def hear(step: Any) -> None:
        if isinstance(step.preview, TrainingState) and step.preview.step > 2:
            amid.set()

    job.events.progressed.connect(hear)
    assert amid.wait(_PATIENCE)


@pytest.mark.parametrize("way", ["sent", "by_path"])
def test_what_was_learned_by_then_is_kept_of_a_stopped_training(
    request: pytest.FixtureRequest, way: str, server: OwnServer, actin: Any, tmp_path: Path
) -> None:
    service: ModelService = request.getfixturevalue(way)
    run = replace(actin, output=tmp_path / "run")
    job = service.submit(replace(run, schedule=replace(run.schedule, steps=100_000)))
    _until_learned(job)
    job.cancel()
    with pytest.raises(CancelledError):
        job.result(_PATIENCE)
    asked = run.output / "request.json"  # as if on a card that this computer does not have
    asked.write_text(asked.read_text().replace('"device": "cpu"', '"device": "mps"'))
    model = service.submit(FinishTrainingRequest(run.output)).result(_PATIENCE)
    steps = int(_rows(model.folder)[-1]["step"])
    assert 2 < steps < 100_000
    assert find_card(model.folder).name == "my-structures"
    assert _scratch(server) == []
    longer = replace(run, schedule=replace(run.schedule, steps=steps + 1))
    further = service.submit(longer).result(_PATIENCE)
    assert [int(row["step"]) for row in _rows(further.folder)] == [steps, steps + 1]


def test_structures_are_learned_from_data_that_were_sent_though_the_worker_dies(
    sent: ModelService, server: OwnServer, actin: Any, actin_here: Any, tmp_path: Path
) -> None:
    job = sent.submit(replace(actin, output=tmp_path / "there"))
    _until_learned(job)
    children = psutil.Process(server.pid).children()
    (worker,) = [p for p in children if "spawn_main" in " ".join(p.cmdline())]
    if sys.platform != "win32":  # which has no kill -9
        os.kill(worker.pid, signal.SIGKILL)
        assert job.state is JobState.RUNNING
    there = job.result(_PATIENCE)
    _same_run(actin_here, there)
    assert find_card(there.folder).tasks[-1] == "actin"


def test_what_cannot_be_sent_is_said_before_anything_is_read(
    sent: ModelService, actin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run = (_dots(tmp_path / "dots"),), tmp_path / "run"
    with pytest.raises(ValueError, match="trained on files that the server does not have"):
        sent.submit(TrainCriticRequest(data, run)).result(_PATIENCE)
    weights = tmp_path / "a.pth"
    torch.save(full_network(SMALL).state_dict(), weights)
    own = TrainRequest(data, run, encoder=f"tu-{SMALL}", encoder_weights=str(weights))
    with pytest.raises(ValueError, match="are looked for on this computer, and are not sent"):
        sent.submit(own).result(_PATIENCE)
    monkeypatch.setattr(sending, "MOST_SENT", 20_000)
    with pytest.raises(ValueError, match="and at most 0 GiB are sent to a server"):
        sent.submit(replace(actin, output=run)).result(_PATIENCE)
    assert not run.exists()
