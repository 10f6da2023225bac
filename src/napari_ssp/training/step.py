"""Optimiser step of any network: prediction in the device's numbers, loss, gradients, update."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_ssp.engine import compute_training_dtype
from napari_ssp.training.adapting import learning_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_ssp.training.batches import Batch

#: Channels last are several times as fast, most of all in 3D on a CPU.
LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


def take_step(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    loss: Callable[..., torch.Tensor],
    batch: Batch,
    precision: str = "auto",
) -> torch.Tensor:
    """Learn from a batch, which may lie on another device than the network.

    Parameters
    ----------
    network : torch.nn.Module
        Network in training mode, on its device.
    optimiser : torch.optim.Optimizer
        Of the parameters that learn.
    loss : callable
        Takes the network's output and the second part of the batch.
    batch : tuple
        What the network takes, and what the loss takes besides.
    precision : str
        ``"auto"``, ``"float32"`` or ``"bfloat16"``.

    Returns
    -------
    torch.Tensor
        The loss, a scalar on the network's device.
    """
    device = next(network.parameters()).device
    inputs, targets = ([_moved(part, device) for part in half] for half in batch)
    with choose_precision(device, inputs[0].ndim == 5, precision):
        output = network(*inputs)
    value = loss(output, *targets)
    optimiser.zero_grad(set_to_none=True)
    value.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(learning_parameters(network), 10.0)
    optimiser.step()
    return value.detach()


def _moved(part: torch.Tensor, device: torch.device) -> torch.Tensor:
    if part.ndim < 2:  # numbers that samples are grouped by: reading them must not wait
        return part
    layout = LAYOUTS.get(part.ndim, torch.preserve_format)
    return part.to(device, non_blocking=True, memory_format=layout)


@contextmanager
def choose_precision(
    device: torch.device, volumes: bool = False, precision: str = "auto"
) -> Iterator[None]:
    """Numbers in which a network learns and is scored, with the range of float32: no scaling."""
    dtype = compute_training_dtype(precision, device, volumes)
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        yield
