"""Losses of MEDIAR's and of RepMode's training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from napari_ssp.flows.tracking import FLOW_SCALE

if TYPE_CHECKING:
    from collections.abc import Callable


#: Least share of a crop that a mean is taken over: a few annotated pixels must not count as a crop.
LEAST_COUNTED = 1 / 16


def segmentation_loss(
    output: torch.Tensor,
    flows: torch.Tensor,
    cells: torch.Tensor,
    counted: torch.Tensor | None = None,
) -> torch.Tensor:
    """Binary cross entropy of the cell logit plus half the squared error of the flows.

    Means over the pixels that count of each crop, and over the crops.

    Parameters
    ----------
    output : torch.Tensor
        Network output, float (N, 3, Y, X): flow_y, flow_x, cell logit.
    flows : torch.Tensor
        Unit target flows, float (N, 2, Y, X).
    cells : torch.Tensor
        Target mask, float (N, Y, X) in {0, 1}.
    counted : torch.Tensor or None
        Bool (N, 2, Y, X): where flows, and where cells count; None counts all.

    Returns
    -------
    torch.Tensor
        Scalar float32.
    """
    output = output.float()
    if counted is None:
        counted = torch.ones_like(output[:, :2], dtype=torch.bool)
    cross_entropy = functional.binary_cross_entropy_with_logits(
        output[:, 2], cells, reduction="none"
    )
    squared_error = functional.mse_loss(output[:, :2], FLOW_SCALE * flows, reduction="none")
    return _mean_of_counted(cross_entropy, counted[:, 1]) + 0.5 * _mean_of_counted(
        squared_error.mean(dim=1), counted[:, 0]
    )


def _mean_of_counted(errors: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    least = LEAST_COUNTED * counted[0].numel()
    sums = (errors * counted).flatten(1).sum(dim=1)
    return (sums / counted.flatten(1).sum(dim=1).clamp(min=least)).mean()


def _maximum(stack: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    lowest = torch.finfo(stack.dtype).min
    planes = stack.masked_fill(~counted, lowest).amax(dim=-3)
    return planes.masked_fill(~counted.any(dim=-3), 0.0)


def _mean(stack: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    return (stack * counted).sum(dim=-3) / counted.sum(dim=-3).clamp(min=1)


#: How a predicted stack (..., Z, Y, X) becomes the plane (..., Y, X) that was measured; voxels that
#: do not count are left out.
PROJECTIONS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "max": _maximum,
    "mean": _mean,
}


def structure_loss(
    output: torch.Tensor,
    target: torch.Tensor,
    counted: torch.Tensor,
    projected: torch.Tensor,
    projection: str = "max",
) -> torch.Tensor:
    """Mean squared error over the voxels that were measured, mean over samples.

    A sample whose target is a projection is compared after the same projection of the prediction:
    where along z its light comes from is left to the network.

    Parameters
    ----------
    output : torch.Tensor
        Network output, float (N, 1, Z, Y, X).
    target : torch.Tensor
        Z-scored fluorescence, float (N, 1, Z, Y, X); a projection is repeated along Z.
    counted : torch.Tensor
        Bool (N, 1, Z, Y, X), False where a crop was filled up beyond the image.
    projected : torch.Tensor
        Bool (N,), True where the target is a projection.
    projection : str
        One of `PROJECTIONS`.

    Returns
    -------
    torch.Tensor
        Scalar float32.
    """
    output, in_3d = output.float(), ~projected
    errors = _errors(output[in_3d], target[in_3d], counted[in_3d])
    flat = PROJECTIONS[projection](output[projected], counted[projected])
    planes = counted[projected].any(dim=2)
    flat_errors = _errors(flat, target[projected][:, :, 0], planes)
    return (errors.sum() + flat_errors.sum()) / len(output)


def _errors(output: torch.Tensor, target: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """Mean squared error of each sample."""
    squares = ((output - target).square() * counted).flatten(1).sum(dim=1)
    return squares / counted.flatten(1).sum(dim=1).clamp(min=1)
