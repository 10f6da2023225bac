from __future__ import annotations

import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.registry import find_card
from napari_ssp.service import (
    AddCatalogueRequest,
    CancelledError,
    DownloadModelRequest,
    ExportModelRequest,
    GatesRequest,
    ImportModelRequest,
    JobState,
    ModelService,
    SegmentRequest,
    VerifyModelsRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_ssp.service import Job


class HeldPixels:
    """Pixels that are handed out only when the test says so: a prediction that takes long."""

    shape, ndim, dtype = (40, 50), 2, np.dtype(np.uint16)

    def __init__(self) -> None:
        self.asked, self.released = threading.Event(), threading.Event()

    def __getitem__(self, key: Any) -> Any:
        self.asked.set()
        assert self.released.wait(60)
        return np.zeros(self.shape, self.dtype)[key]


@pytest.fixture
def pixels() -> Iterator[HeldPixels]:
    pixels = HeldPixels()
    yield pixels
    pixels.released.set()


@pytest.fixture
def silent_site() -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """Address of a server that answers nothing; whether it was asked, and when it hangs up."""
    asked, over = threading.Event(), threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            over.wait(60)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/catalogue.json", asked, over
    over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def _held(service: ModelService, pixels: HeldPixels, model: Path) -> Job[Any]:
    """Prediction that has begun and goes on only when its pixels come."""
    job = service.submit(SegmentRequest(MicroscopyImage(pixels, "yx"), str(model)))
    assert pixels.asked.wait(60)
    return job


def test_models_go_through_jobs(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    lab = tmp_path / "lab"
    shutil.copytree(tiny_model, lab / "tiny")
    with ModelService() as service:
        package = service.submit(ExportModelRequest(str(tiny_model), tmp_path / "m.zip"))
        card = service.submit(ImportModelRequest(package.result(60), "mine")).result(60)
        assert card == find_card("mine")
        verdicts = service.submit(VerifyModelsRequest(("mine",))).result(60)
        assert [found.state for found in verdicts] == ["ok"]
        again = service.submit(ImportModelRequest(tmp_path / "m.zip", "mine"))
        with pytest.raises(FileExistsError, match="'mine' already"):
            again.result(60)
        offered = service.submit(AddCatalogueRequest(str(lab))).result(60)
        assert [card.name for card in offered] == ["tiny"]
        # Installed already: nothing is downloaded.
        assert service.submit(DownloadModelRequest("mine")).result(60) == card


def test_models_do_not_wait_for_a_prediction(
    tiny_model: Path,
    tiny_structures: Path,
    pixels: HeldPixels,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    with ModelService() as service:
        prediction = _held(service, pixels, tiny_model)
        package = service.submit(ExportModelRequest(str(tiny_model), tmp_path / "m.zip"))
        service.submit(ImportModelRequest(package.result(60), "mine")).result(60)
        assert service.submit(VerifyModelsRequest(("mine",))).result(60)[0].state == "ok"
        assert service.submit(DownloadModelRequest("mine")).result(60) == find_card("mine")
        assert service.submit(GatesRequest(str(tiny_structures), "dna")).result(60)
        # What computes waits for its like.
        other = service.submit(SegmentRequest(np.zeros((40, 50), np.uint16), str(tiny_model)))
        assert (prediction.state, other.state) == (JobState.RUNNING, JobState.QUEUED)
        pixels.released.set()
        assert prediction.result(60).labels.shape == (40, 50)
        assert other.result(60).labels.shape == (40, 50)


def test_files_do_not_wait_for_a_server_and_all_is_cancelled_at_the_end(
    tiny_model: Path,
    pixels: HeldPixels,
    silent_site: tuple[str, threading.Event, threading.Event],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    place, asked, over = silent_site
    service = ModelService()
    prediction = _held(service, pixels, tiny_model)
    behind = service.submit(SegmentRequest(np.zeros((40, 50), np.uint16), str(tiny_model)))
    download, waiting = (service.submit(AddCatalogueRequest(place)) for _ in range(2))
    assert asked.wait(60)
    assert service.submit(VerifyModelsRequest((str(tiny_model),))).result(60)[0].state == "ok"
    assert (download.state, waiting.state) == (JobState.RUNNING, JobState.QUEUED)
    closing = threading.Thread(target=service.close)
    closing.start()
    for job in (behind, waiting):
        with pytest.raises(CancelledError):
            job.result(60)
    pixels.released.set()
    over.set()
    closing.join(60)
    for job in (prediction, download):
        with pytest.raises(CancelledError):
            job.result(60)
    assert not (tmp_path / "cache" / "catalogues.json").exists()
