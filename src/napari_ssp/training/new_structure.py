"""A new structure for a trained RepMode: what is learned, and what stays as it is."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils import parametrize

from napari_ssp.progress import Progress, Steps
from napari_ssp.training.losses import structure_loss

if TYPE_CHECKING:
    from napari_ssp.networks import RepMode
    from napari_ssp.training.loop import Batch


class NewStructure(nn.Module):
    """RepMode whose last task learns while all others keep their predictions to the bit.

    Only the last task's row of each gate is learned, and its own experts where it has some. Batch
    normalisation keeps its statistics, too: they are shared.

    Parameters
    ----------
    network : RepMode
        Of :meth:`~napari_ssp.networks.RepMode.extended`; taken over.
    """

    def __init__(self, network: RepMode) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        last = network.num_tasks - 1
        for layer in _gated(network):
            gate = layer.get_submodule("gate")
            parametrize.register_parametrization(gate, "weight", _LastRow(gate.weight.detach()))
        learned = (
            f"expert_task{last}_conv",
            f"gate_task{last}",
            "parametrizations.weight.original",
        )
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.endswith(learned))

    def train(self, mode: bool = True) -> NewStructure:
        """Change nothing in the network, whose statistics stay."""
        self.training = mode
        return self

    def forward(self, x: torch.Tensor, task: torch.Tensor) -> torch.Tensor:
        """Predict, as :class:`~napari_ssp.networks.RepMode`."""
        result: torch.Tensor = self.network(x, task)
        return result

    def merge(self, task: int) -> nn.Module:
        """Plain network for one task, as of :class:`~napari_ssp.networks.RepMode`."""
        return self.network.merge(task)

    def finished(self) -> RepMode:
        """Return the network with what was learned, an ordinary RepMode again."""
        network = copy.deepcopy(self.network)
        for layer in _gated(network):
            parametrize.remove_parametrizations(layer.get_submodule("gate"), "weight")
        return network


class _LastRow(nn.Module):
    """Weight of a gate, (experts, tasks), of which only the last task's part is learned."""

    kept: torch.Tensor

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", weight[:, :-1].clone())

    def forward(self, last: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.kept, last], dim=1)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        return weight[:, -1:].clone()


def _gated(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.modules() if hasattr(layer, "gate")]


def most_similar(network: RepMode, batch: Batch, projection: str = "max") -> Steps[int]:
    """Task whose prediction comes closest to a structure that the network does not know.

    Parameters
    ----------
    network : RepMode
        Trained network, on its device.
    batch : tuple
        Crops of the new structure, as :class:`~napari_ssp.training.structures.StructureBatches`
        makes them.
    projection : str
        How a 2D target was made from its stack.

    Yields
    ------
    Progress
        After every task.

    Returns
    -------
    int
        The task with the smallest mean squared error.
    """
    (signal, _), truth = batch
    device, errors = next(network.parameters()).device, []
    for task in range(network.num_tasks):
        plain = network.merge(task)
        with torch.inference_mode():
            output = plain(signal.to(device)).cpu()
            errors.append(float(structure_loss(output, *truth, projection)))
        yield Progress("looking for the most similar structure", task + 1, network.num_tasks)
    return errors.index(min(errors))
