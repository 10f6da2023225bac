"""A new structure for a trained RepMode: what is learned, and what stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_ssp.networks.repmode import MoDEConv
from napari_ssp.progress import Progress, Steps
from napari_ssp.training.losses import structure_loss

if TYPE_CHECKING:
    from napari_ssp.networks import RepMode
    from napari_ssp.training.batches import Batch


class LastTaskGate(nn.Linear):
    """Gate of which only the last task's column is learned; a gate becomes one in place, and back.

    The other columns are no parameter: an optimiser's weight decay would move them.
    """

    kept: torch.Tensor
    last: nn.Parameter

    @classmethod
    def split(cls, gate: nn.Linear) -> None:
        """Turn a gate into one of these."""
        weight = gate.weight.detach()
        del gate.weight
        gate.register_buffer("kept", weight[:, :-1].clone())
        gate.register_parameter("last", nn.Parameter(weight[:, -1:].clone()))
        gate.__class__ = cls

    def restore(self) -> None:
        """Turn it into an ordinary gate again."""
        weight = nn.Parameter(self.weight.detach())
        del self.kept, self.last
        self.__class__ = nn.Linear  # type: ignore[assignment]
        self.register_parameter("weight", weight)

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override]
        """Whole weight, (experts, tasks)."""
        return torch.cat([self.kept, self.last], dim=1)


def learn_last_task(network: RepMode) -> None:
    """Freeze all but the last task: all others keep their predictions to the bit.

    Its row of each gate is learned, and its own experts where it has some. Batch normalisation
    keeps its statistics, too, as they are shared: see
    :func:`~napari_ssp.training.adapting.train_mode`.
    :func:`~napari_ssp.training.adapting.plain` makes an ordinary network of it again.

    Parameters
    ----------
    network : RepMode
        Of :meth:`~napari_ssp.networks.RepMode.extended`; changed in place.
    """
    network.requires_grad_(False)
    for layer in network.modules():
        if isinstance(layer, MoDEConv):
            LastTaskGate.split(layer.gate)
    last = network.num_tasks - 1
    learned = (f"expert_task{last}_conv", f"gate_task{last}", "gate.last")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.endswith(learned))


def most_similar(network: RepMode, batch: Batch, projection: str = "max") -> Steps[int]:
    """Task whose prediction comes closest to a structure that the network does not know.

    Parameters
    ----------
    network : RepMode
        Trained network, on its device.
    batch : tuple
        Crops of the new structure, as
        :class:`~napari_ssp.training.structures.recipe.StructureBatches` makes them.
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
    (signal, _), (target, counted, projected) = batch
    device, errors = next(network.parameters()).device, []
    for task in range(network.num_tasks):
        plain = network.merge(task)
        with torch.inference_mode():
            output = plain(signal.to(device)).cpu()
            loss = structure_loss(output, target, counted, projected, projection)
            errors.append(float(loss))
        yield Progress("looking for the most similar structure", task + 1, network.num_tasks)
    return errors.index(min(errors))
