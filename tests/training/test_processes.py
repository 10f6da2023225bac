from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import torch
from torch import multiprocessing, nn

from napari_ssp.progress import Progress, run
from napari_ssp.training.loop import LoopSettings, TrainingRun, fit
from napari_ssp.training.processes import (
    SINGLE_PROCESS,
    ProcessGroup,
    connect_processes,
    read_process_group,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_ssp.training.loop import Batch

STEPS, SIZE = 5, 4


def _score(network: nn.Module) -> Generator[Progress, None, dict[str, float]]:
    yield Progress("scoring")
    return {"f1": float(network(torch.ones(1, 1, 8, 8)).detach().mean())}


def _train(folder: Path, processes: ProcessGroup) -> TrainingRun:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Mish(), nn.Conv2d(4, 1, 1))
    settings = LoopSettings(
        steps=STEPS, minutes=60, score_steps=2, metric="f1", score_base=True, precision="float32"
    )

    def batch_of(step: int) -> Batch:
        x = torch.rand(SIZE, 1, 8, 8, generator=torch.Generator().manual_seed(step))
        mine = x[processes.rank :: processes.world_size]
        return (mine,), (3 * mine,)

    trained = TrainingRun(
        network, lambda y, t: (y.float() - t).square().mean(), settings, folder, processes=processes
    )
    run(fit(trained, batch_of, _score))
    return trained


def _process(rank: int, folder: Path, port: int) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = read_process_group()
    with connect_processes(processes):
        trained = _train(folder, processes)
    assert bool(trained.rows) is processes.is_main


def test_two_processes_learn_what_one_does_with_their_batches_joined(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(_process, (tmp_path / "two", port), nprocs=2)  # type: ignore[no-untyped-call]
    alone = _train(tmp_path / "one", SINGLE_PROCESS)
    state = torch.load(tmp_path / "two" / "checkpoint.pt", weights_only=True)
    assert state["step"] == STEPS
    assert [row["step"] for row in state["rows"]] == [2, 4, 5]
    for name, value in alone.network.state_dict().items():
        torch.testing.assert_close(state["network"][name], value, rtol=0, atol=1e-6)


def test_a_process_by_itself_is_alone() -> None:
    assert read_process_group() is SINGLE_PROCESS
    assert SINGLE_PROCESS.is_main
    assert SINGLE_PROCESS.device("cpu") == "cpu"
