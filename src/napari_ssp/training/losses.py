"""Loss of MEDIAR's training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

from napari_ssp.flows.tracking import FLOW_SCALE

if TYPE_CHECKING:
    import torch


def segmentation_loss(
    output: torch.Tensor, flows: torch.Tensor, cells: torch.Tensor
) -> torch.Tensor:
    """Binary cross entropy of the cell logit plus half the squared error of the flows.

    Parameters
    ----------
    output : torch.Tensor
        Network output, float (N, 3, Y, X): flow_y, flow_x, cell logit.
    flows : torch.Tensor
        Unit target flows, float (N, 2, Y, X).
    cells : torch.Tensor
        Target mask, float (N, Y, X) in {0, 1}.

    Returns
    -------
    torch.Tensor
        Scalar float32.
    """
    output = output.float()
    cross_entropy = functional.binary_cross_entropy_with_logits(output[:, 2], cells)
    squared_error = functional.mse_loss(output[:, :2], FLOW_SCALE * flows)
    return cross_entropy + 0.5 * squared_error
