"""Threads of a run: chosen for the command, else the environment's, else the preferred ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_ssp import MicroscopyImage
from napari_ssp.service import ModelService, SegmentRequest
from napari_ssp.threads import chosen_threads, count_threads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File of the preferences, in which three threads are preferred."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "settings.yaml"))
    file = tmp_path / "napari-ssp.yaml"
    file.write_text("compute: {threads: 3}\n")
    return file


@pytest.fixture(scope="module")
def service() -> Iterator[ModelService]:
    with ModelService() as service:
        yield service


def _threads_of_a_run(service: ModelService, model: Path) -> set[int]:
    """Threads that torch has between the steps of a segmentation."""
    image = MicroscopyImage(np.zeros((64, 64), np.uint8), "yx")
    request, seen = SegmentRequest(image, model=str(model), device="cpu"), set[int]()
    service.submit(request)  # the next one waits for it, so that all of its steps are seen
    job = service.submit(request)
    job.events.progressed.connect(lambda _: seen.add(torch.get_num_threads()))
    job.result(60)
    return seen


def test_a_preference_holds_from_the_next_run_on(
    preferred: Path, service: ModelService, tiny_model: Path, job_threads: int
) -> None:
    assert _threads_of_a_run(service, tiny_model) == {3}
    preferred.write_text("compute: {threads: 0}\n")
    assert _threads_of_a_run(service, tiny_model) == {job_threads}


def test_the_environment_comes_before_a_preference(
    preferred: Path,
    service: ModelService,
    tiny_model: Path,
    job_threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")  # torch has read it, or not, when it was loaded
    assert _threads_of_a_run(service, tiny_model) == {job_threads}
    with chosen_threads(2):
        assert _threads_of_a_run(service, tiny_model) == {2}


def test_work_of_our_own_is_spread_alike(preferred: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert count_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert count_threads() == 5
    with chosen_threads(2):
        assert count_threads() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "0")
    preferred.unlink()
    assert count_threads() == os.cpu_count()
