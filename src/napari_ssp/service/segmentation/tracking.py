"""Choice of what follows flows: the GPU beside the network, compiled code, or torch before it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from napari_ssp.engine import release_memory
from napari_ssp.engine.memory import is_out_of_memory
from napari_ssp.flows import FlowField
from napari_ssp.flows.stitching import N_STEPS
from napari_ssp.service.preparing import COMPILING, KERNELS

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from napari_ssp.progress import Steps
    from napari_ssp.service.segmentation.plan import SegmentPlan
    from napari_ssp.service.segmentation.run import SegmentRun


#: Pixels of a plane; of 1024 x 1024 with 447 cells torch takes 2.8 s, compiled code 0.1 s.
_MOST_WITHOUT_KERNELS = 2048**2
#: Pixels times steps of the flow check, of which torch takes some ten seconds.
_MOST_HEAT_WITHOUT_KERNELS = 2e8


def stays_on_device(device: torch.device) -> bool:
    """Whether outputs stay where the network computes, and flows are followed there.

    On CUDA they do. On a CPU compiled code is faster than torch's, and Apple's cards compute
    in single precision only, so that their labels would not be those of a CPU.
    """
    return device.type == "cuda"


def run_where_it_fits(
    work: Callable[[torch.Tensor], torch.Tensor], values: torch.Tensor
) -> torch.Tensor:
    """Work on values where they are, or on the CPU when their device is out of memory."""
    try:
        return work(values)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    release_memory(values.device)
    return work(values.cpu())


def await_kernels(run: SegmentRun) -> Steps[None]:
    """Wait for compiled code where flows are followed by it; says so, once per computer."""
    if run.on_device:
        return
    if can_do_without_kernels(run.plan):
        yield from KERNELS.first_steps("loading the tracking of flows")
    else:
        yield from KERNELS.steps(COMPILING)


def can_do_without_kernels(plan: SegmentPlan) -> bool:
    """Whether torch follows flows in a second or two as long as the kernels are compiled."""
    in_one_piece = plan.volume is None and plan.tile is None
    return in_one_piece and plan.shape[0] * plan.shape[1] <= _MOST_WITHOUT_KERNELS


def track_labels(run: SegmentRun, output: torch.Tensor) -> NDArray[np.uint32]:
    """Follow the flows of one image or volume, beside the network as far as memory goes.

    Parameters
    ----------
    run : SegmentRun
        Thresholds, sizes, and whether results stay on the device.
    output : torch.Tensor
        Float32 (2 + 1, Y, X) or (3 + 1, Z, Y, X): flows in the network's scale, then probability.

    Returns
    -------
    numpy.ndarray
        Uint32 labels, 1..n without gaps.
    """
    is_there = output.device.type == torch.device(run.results_on).type
    # Of an output that its device had no room for, compiled code is faster.
    if run.on_device and is_there:
        most_heat = math.inf
    elif KERNELS.is_under_way and can_do_without_kernels(run.plan):
        most_heat = _MOST_HEAT_WITHOUT_KERNELS
    else:
        return _track_compiled(run, output)
    from napari_ssp.flows.heat_on_device import TooMuchHeatError
    from napari_ssp.flows.on_device import track_batch

    try:
        image = [output[:-1]], [output[-1]]
        return track_batch(*image, run.tracking, N_STEPS, str(output.device), most_heat)[0]
    except TooMuchHeatError:
        pass
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    release_memory(output.device)
    return _track_compiled(run, output)


def _track_compiled(run: SegmentRun, output: torch.Tensor) -> NDArray[np.uint32]:
    return FlowField(output[:-1], output[-1], N_STEPS).labels(run.tracking)
