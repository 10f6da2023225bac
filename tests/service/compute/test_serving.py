"""A real ``napari-ssp serve``: whom it lets in, what it gives, what becomes of a lost one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from napari_ssp.cli import main
from napari_ssp.metrics import ConformalCalibration
from napari_ssp.registry import find_card
from napari_ssp.registry.folders import models_folder
from napari_ssp.service import ModelService, ReviewRequest, SegmentRequest
from napari_ssp.service.compute import remote
from napari_ssp.service.compute.bundle import BUNDLE_FILE, Bundle, write_private
from napari_ssp.service.compute.cluster import Cluster
from napari_ssp.service.review.calibrating import write_calibration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("distributed")

#: Sums of float32, of networks that this process may have loaded in other circumstances.
_ROUNDING: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}
_LOOSE: dict[str, Any] = {"cell_threshold": 0.3, "flow_threshold": 0.0}


class _Server:
    """The command in a process of its own, with folders of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log.txt"
        self.bundle = folder / "certificates" / BUNDLE_FILE
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self) -> None:
        places = {"NAPARI_SSP_SERVER": "certificates", "NAPARI_SSP_CACHE": "cache"}
        own = {name: str(self.folder / place) for name, place in places.items()}
        words = ["serve", "--port", str(self.port), "--workers", "1"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "napari_ssp.cli", *words],
                stderr=log,
                env={**os.environ, **own},
                start_new_session=True,
            )
        self.said("Serving at", 60)

    def said(self, words: str, seconds: float = 10) -> bool:
        """Wait for words in the log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if words in self.log.read_text():
                return True
            time.sleep(0.05)
        raise AssertionError(f"not said: {words}\n{self.log.read_text()}")

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def expired(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Identities of a server, and of its clients whose certificate has expired yesterday."""
    from napari_ssp.service.compute.certificates import make_identities

    return make_identities(client_days=-1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Server]:
    server = _Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def service(server: _Server) -> Iterator[ModelService]:
    with ModelService(server.bundle) as service:
        yield service


def _record(result: Any) -> dict[str, Any]:
    return _lasting(result.provenance)


def _lasting(record: dict[str, Any]) -> dict[str, Any]:
    """What of a record does not change from run to run."""
    return {k: v for k, v in record.items() if k not in ("seconds", "finished")}


def _noise(side: int = 90) -> Any:
    return np.random.default_rng(1).integers(0, 255, (side, side), np.uint8)


def test_no_page_is_announced(server: _Server) -> None:
    assert server.said("Serving at") and "dashboard" not in server.log.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no owner-only modes")
def test_only_the_owner_reads_certificates(server: _Server) -> None:
    folder = server.bundle.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in folder.iterdir()} == {0o600}


def test_a_port_that_is_taken_is_said(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SSP_SERVER", str(tmp_path))
    done = CliRunner().invoke(main, ["serve", "--port", str(server.port), "--workers", "1"])
    assert done.exit_code == 1
    assert f"Nothing can be served at 127.0.0.1, port {server.port}" in done.output


def test_a_bundle_replaces_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "cells.json"
    path.write_text('{"cells": 7}')
    done = CliRunner().invoke(main, ["serve", "--bundle", str(path)])
    assert done.exit_code == 2
    assert "is no client bundle" in done.output
    assert path.read_text() == '{"cells": 7}'


def test_a_worker_that_dies_again_and_again_is_said() -> None:
    from distributed.scheduler import KilledWorker

    from napari_ssp.service.compute.cluster import _explain

    words = _explain(KilledWorker("key", None, 2))
    assert "ended 3 times" in words
    assert "lack of memory" in words


def test_a_model_travels_once_and_results_are_the_same(
    service: ModelService, finding_model: Path
) -> None:
    named = models_folder() / "finds"
    named.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(finding_model, named)
    stages: list[list[str]] = []
    try:
        with ModelService() as local:
            for model in (str(finding_model), "finds", f"finds+{finding_model}"):
                request = SegmentRequest(_noise(), model, **_LOOSE)
                here, job = local.submit(request).result(60), service.submit(request)
                stages.append([])
                job.events.progressed.connect(lambda p: stages[-1].append(p.stage))
                there = job.result(60)
                assert here.num_objects > 0
                assert np.array_equal(here.labels, there.labels)
                np.testing.assert_allclose(there.flows, here.flows, **_ROUNDING)
                assert _record(here) == _record(there)
    finally:
        shutil.rmtree(named)
        assert service.submit(SegmentRequest(_noise())).result(60).labels.shape == (90, 90)
    assert ["sending the model" in words for words in stages] == [True, False, False]


def test_a_command_computes_on_the_server(
    server: _Server, finding_model: Path, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "cells.tif", _noise())
    words = ["segment", str(tmp_path / "cells.tif"), "--model", str(finding_model)]
    for place, compute in (("here", "local"), ("there", str(server.bundle))):
        out = ["-o", str(tmp_path / place), "--compute", compute, "--flow-threshold", "0"]
        done = CliRunner().invoke(main, [*words, *out, "--cell-threshold", "0.3"])
        assert done.exit_code == 0, done.output
    name = "cells_label.tiff"
    labels = [tifffile.imread(tmp_path / place / name) for place in ("here", "there")]
    assert labels[0].max() > 0
    assert np.array_equal(*labels)


def test_a_stack_through_a_structure_is_the_same(
    service: ModelService, finding_model: Path, tiny_structures: Path, tmp_path: Path
) -> None:
    path = tmp_path / "stack.tif"
    stack = np.random.default_rng(3).integers(0, 255, (18, 40, 50), np.uint8)
    tifffile.imwrite(path, stack, metadata={"axes": "ZYX"})
    models = {"through": "dna", "through_model": str(tiny_structures)}
    request = SegmentRequest(path, str(finding_model), axes="zyx", **models, **_LOOSE)
    with ModelService() as local:
        here = local.submit(request).result(60)
    there = service.submit(request).result(60)
    assert np.array_equal(here.labels, there.labels)
    assert here.predicted is not None and there.predicted is not None
    np.testing.assert_allclose(there.predicted.data, here.predicted.data, **_ROUNDING)
    assert here.table is not None and there.table is not None
    for key, column in here.table.items():
        np.testing.assert_allclose(there.table[key], column, **_ROUNDING)
    ours, theirs = _record(here), _record(there)
    assert _lasting(ours.pop("through")) == _lasting(theirs.pop("through"))
    assert ours == theirs


def test_a_review_is_the_same_with_files_of_this_computer(
    service: ModelService, tiny_critic: Path, tmp_path: Path
) -> None:
    labels = np.zeros((90, 90), np.uint16)
    labels[5:20, 8:30], labels[40:60, 30:44] = 3, 9
    names = [tmp_path / name for name in ("a.tif", "a_label.tif", "calibration.json")]
    tifffile.imwrite(names[0], _noise())
    tifffile.imwrite(names[1], labels)
    with ModelService() as local:
        plain = ReviewRequest(names[0], names[1], str(tiny_critic))
        errors = local.submit(plain).result(60).table["predicted_error"]
        between = ConformalCalibration(99, (float(errors.mean()),) * 20)
        write_calibration(names[2], between, find_card(tiny_critic), ["a.tif"])
        request = replace(plain, calibration=names[2])
        here, there = local.submit(request).result(60), service.submit(request).result(60)
    np.testing.assert_allclose(there.error_map, here.error_map, **_ROUNDING)
    assert sorted(here.table["accepted"]) == [0, 1]
    for name in ("label", "likely", "accepted"):
        assert list(there.table[name]) == list(here.table[name])
    assert (there.wrong_share, _record(there)) == (here.wrong_share, _record(here))


def _refusal(server: _Server, identity: Any, tmp_path: Path) -> str:
    """What a client with an identity is told."""
    path = tmp_path / "other.json"
    Bundle(f"tls://127.0.0.1:{server.port}", identity).write(path)
    with ModelService(path) as service, pytest.raises(PermissionError) as caught:
        service.submit(SegmentRequest(_noise())).result(30)
    return str(caught.value)


def test_who_has_no_certificate_is_not_let_in(server: _Server, tmp_path: Path) -> None:
    said = _refusal(server, None, tmp_path)
    assert "lets in only who has its client bundle, and no certificate was given" in said
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE  # believes any server
    with socket.create_connection(("127.0.0.1", server.port), 10) as plain:
        with (
            bare.wrap_socket(plain) as secured,
            pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
        ):
            secured.recv(1)
    assert server.said("showed no certificate")


def test_who_has_another_authoritys_certificate_is_not_let_in(
    server: _Server, tmp_path: Path
) -> None:
    from dataclasses import replace

    from napari_ssp.service.compute.certificates import make_identities

    own = Bundle.read(server.bundle).identity
    _, other = make_identities()
    said = _refusal(server, other, tmp_path)  # believes the other authority, too
    assert "not the server that the client bundle was made for" in said
    assert own is not None
    said = _refusal(server, replace(other, authority=own.authority), tmp_path)
    assert re.search(r"refused.*made by another authority", said)
    assert server.said("its certificate was made by another authority")


def test_who_has_an_expired_certificate_is_not_let_in(tmp_path: Path, expired: Any) -> None:
    from dataclasses import asdict

    own, client = expired
    server = _Server(tmp_path)
    (tmp_path / "certificates").mkdir()
    content = {"server": asdict(own), "client": asdict(client)}
    write_private(tmp_path / "certificates" / "server.json", content)
    server.start()
    try:
        assert re.search(r"refused.*certificate has expired", _refusal(server, client, tmp_path))
        assert server.said("its certificate has expired")
    finally:
        server.kill()


def test_a_client_cannot_pose_as_the_server(server: _Server) -> None:
    identity = Bundle.read(server.bundle).identity
    assert identity is not None
    listening = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = server.folder / "posing.pem"
    pem.write_text(identity.certificate + identity.key)
    listening.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as door:
        address = f"tls://127.0.0.1:{door.getsockname()[1]}"

        def pose() -> None:
            with suppress(OSError):
                listening.wrap_socket(door.accept()[0], server_side=True)

        threading.Thread(target=pose, daemon=True).start()
        path = server.folder / "posing.json"
        Bundle(address, identity).write(path)
        with ModelService(path) as service, pytest.raises(PermissionError, match="not believed"):
            service.submit(SegmentRequest(_noise())).result(30)


def test_a_server_that_is_not_there_is_said(tmp_path: Path, server: _Server) -> None:
    path = tmp_path / "other.json"
    Bundle("tls://127.0.0.1:9", Bundle.read(server.bundle).identity).write(path)
    with ModelService(path) as service, pytest.raises(ConnectionError, match="No server answers"):
        service.submit(SegmentRequest(_noise())).result(30)


def _begun(service: ModelService, model: Path) -> Any:
    """Job that is in the midst of its windows."""
    job = service.submit(SegmentRequest(_noise(190), str(model), overlap=0.8, batch_size=1))
    amid = threading.Event()
    job.events.progressed.connect(lambda p: p.stage == "windows" and p.done > 3 and amid.set())
    assert amid.wait(60)
    return job


def test_a_job_says_how_many_are_before_it_and_on_what(
    service: ModelService, tiny_model: Path
) -> None:
    first = _begun(service, tiny_model)
    second = service.submit(SegmentRequest(_noise(64), str(tiny_model)))
    said: list[str] = []
    told = threading.Event()

    def hear(progress: Any) -> None:
        said.append(progress.stage)
        if progress.stage.endswith("1 job before this one"):
            told.set()

    second.events.progressed.connect(hear)
    assert told.wait(20), said
    assert any(re.match(r"waiting for a processor of \d+ cores?, 1 job", stage) for stage in said)
    first.cancel()
    second.result(60)
    assert said[-1] != "waiting for a free worker"


@pytest.mark.parametrize(
    ("before", "devices", "words"),
    [
        (0, [], "waiting for a worker to start"),
        (1, ["NVIDIA A", "NVIDIA A"], "starting on 2 × NVIDIA A"),
        (3, ["NVIDIA A", "NVIDIA B"], "waiting for NVIDIA A, NVIDIA B, 3 jobs before this one"),
    ],
)
def test_standing_in_words(before: int, devices: list[str], words: str) -> None:
    from napari_ssp.service.compute.standing import describe_standing

    assert describe_standing(before, devices) == words


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
def test_a_job_goes_on_when_its_server_is_back(
    server: _Server, service: ModelService, tiny_model: Path
) -> None:
    job = _begun(service, tiny_model)
    server.kill()
    server.start()
    with ModelService() as local:
        here = local.submit(job.request).result(60)
    assert np.array_equal(here.labels, job.result(90).labels)


def test_a_connection_that_failed_to_connect_anew_is_dropped(server: _Server) -> None:
    import asyncio

    bundle = Bundle.read(server.bundle)
    cluster = Cluster(lambda: bundle)
    cluster.connect()
    client = cluster._client

    async def fail() -> None:
        raise ValueError("IOStream is not idle; cannot convert to SSL")

    async def meet() -> None:
        client._handle_report_task.cancel()
        await client.scheduler_comm.close()
        client._handle_report_task = asyncio.create_task(fail())
        await asyncio.sleep(0)

    client.sync(meet)
    cluster.close()
    assert client.status == "closed", "or it raises that again, wherever garbage is collected"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
def test_a_job_whose_server_stays_away_says_so(
    server: _Server, service: ModelService, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_PATIENCE", 0.5)
    job = _begun(service, tiny_model)
    server.kill()
    with pytest.raises(ConnectionError, match="No server answers"):
        job.result(30)
