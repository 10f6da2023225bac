"""Begin of a piece: libraries load, and kernels are compiled while the network computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.service.preparing import KERNELS, SEGMENTATION_LIBRARIES

if TYPE_CHECKING:
    from napari_ssp.progress import Steps
    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import BlockRequest


def begin_block(request: BlockRequest, models: ModelCache) -> Steps[None]:
    """Make a piece as `piece_steps` does, once the libraries are there that it needs."""
    KERNELS.begin()
    yield from SEGMENTATION_LIBRARIES.steps("loading PyTorch and the network's libraries")
    from napari_ssp.service.blocks.pieces import piece_steps  # loads torch

    return (yield from piece_steps(request, models))
