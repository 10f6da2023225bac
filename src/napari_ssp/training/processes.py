"""Processes that train one network together, each on its part of every batch.

torchrun starts them, with their numbers in the environment; each joins by itself. Gradients are
averaged after every step, so all hold the same weights. The first one scores, writes and reports.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The others wait for the first one while it scores.
_PATIENCE = timedelta(hours=2)


@dataclass(frozen=True)
class ProcessGroup:
    """Processes that train together.

    Attributes
    ----------
    rank, world_size : int
        Which of how many processes this is.
    """

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process scores, writes and reports."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """Device of this process: its own card where any is wanted."""
        several = self.world_size > 1 and torch.cuda.is_available()
        if several and name in ("auto", "cuda"):
            return f"cuda:{os.environ.get('LOCAL_RANK', self.rank)}"
        return name

    def distribute(self, network: nn.Module) -> nn.Module:
        """Network whose gradients are averaged over all processes."""
        if self.world_size == 1:
            return network
        device = next(network.parameters()).device
        return DistributedDataParallel(network, [device] if device.type == "cuda" else None)

    def broadcast(self, value: float, device: torch.device) -> float:
        """Value of the first process, for all."""
        if self.world_size == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=device)
        distributed.broadcast(tensor, 0)
        return float(tensor)


#: A process by itself.
SINGLE_PROCESS = ProcessGroup()


def read_process_group() -> ProcessGroup:
    """Place that torchrun gave this process; alone without it."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    return (
        ProcessGroup(int(os.environ.get("RANK", "0")), world_size)
        if world_size > 1
        else SINGLE_PROCESS
    )


@contextmanager
def connect_processes(processes: ProcessGroup) -> Iterator[None]:
    """Connect the processes of a processes while the block runs."""
    if processes.world_size == 1:
        yield
        return
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def synchronise_batch_norm(network: nn.Module, processes: ProcessGroup) -> nn.Module:
    """Network whose batch normalisation sees the whole batch; on GPUs only."""
    if processes.world_size > 1 and torch.cuda.is_available():
        convert = nn.SyncBatchNorm.convert_sync_batchnorm
        converted: nn.Module = convert(network)  # type: ignore[no-untyped-call]
        return converted
    return network
