"""Batches prepared ahead of need, in a thread or in processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from multiprocessing import current_process
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from napari_ssp.scratch import scratch_folder

Tensors = tuple[torch.Tensor, ...]
#: What the network takes, and what the loss takes besides the network's output.
Batch = tuple[Tensors, Tensors]
BatchOf = Callable[[int], Batch]
#: Batches made ahead in a thread.
_AHEAD = 3


def batches_from(
    batch_of: BatchOf, steps: range, workers: int = 0, pin: bool = False
) -> AbstractContextManager[Iterator[Batch]]:
    """Batches of consecutive steps, prepared ahead.

    Parameters
    ----------
    batch_of : callable
        Makes the batch of a step; must be picklable when there are workers.
    steps : range
        Steps to come.
    workers : int
        Processes; 0 takes one thread of this one, as does a process that may start no others. Both
        give the same batches in the same order.
    pin : bool
        Keep batches of processes in memory that a GPU reads directly.
    """
    if workers and not current_process().daemon:  # as workers of Dask, which may start none
        return _by_processes(batch_of, steps, workers, pin)
    return _ahead(batch_of, steps)


@contextmanager
def _ahead(batch_of: BatchOf, steps: range) -> Iterator[Iterator[Batch]]:
    pool = ThreadPoolExecutor(1, thread_name_prefix="batches")

    def stream() -> Iterator[Batch]:
        waiting = [pool.submit(batch_of, step) for step in steps[:_AHEAD]]
        for step in steps[_AHEAD:]:
            yield waiting.pop(0).result()
            waiting.append(pool.submit(batch_of, step))
        for last in waiting:
            yield last.result()

    try:
        yield stream()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Steps(Dataset[Batch]):
    """Batches by step number, as torch's loader wants them.

    A new process waits for its data before the next one is started. Sent through a file that each
    reads when it is needed, all start together instead of a quarter of a minute apart.
    """

    def __init__(self, batch_of: BatchOf, folder: str) -> None:
        self._path = Path(folder) / "batches"
        self._path.write_bytes(ForkingPickler.dumps(batch_of))

    @cached_property
    def _batch_of(self) -> BatchOf:
        read: BatchOf = ForkingPickler.loads(self._path.read_bytes())
        return read

    def __getitem__(self, step: int) -> Batch:
        return self._batch_of(step)


def _use_one_thread(worker: int) -> None:
    """Keep many processes from starting many threads each; torch sees to its own."""
    os.environ["OMP_NUM_THREADS"] = "1"


@contextmanager
def _by_processes(
    batch_of: BatchOf, steps: range, workers: int, pin: bool
) -> Iterator[Iterator[Batch]]:
    with scratch_folder() as folder:
        loader = DataLoader(
            _Steps(batch_of, str(folder)),
            batch_size=None,
            sampler=steps,
            num_workers=workers,
            pin_memory=pin,
            multiprocessing_context="spawn",
            worker_init_fn=_use_one_thread,
        )
        batches = iter(loader)
        try:
            yield batches
        finally:
            del batches  # ends the processes
