"""Gates of a RepMode model: how much each expert counts for a structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import PACKAGE, find_card
from napari_ssp.service.structures.plan import check_structures_card, task_index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_ssp.networks import RepMode
    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.requests import GatesRequest


def gates_steps(request: GatesRequest, models: ModelCache) -> Steps[dict[str, NDArray[np.float32]]]:
    """Gates of a structure, block by block from the input to the output.

    Yields
    ------
    Progress
        Before the model is loaded.

    Returns
    -------
    dict of str to numpy.ndarray
        Float32 (5, channels) by block: how much the experts 5x5x5, 3x3x3, 1x1x1, average 3x3x3 and
        average 5x5x5 count for each output channel; they sum to 1. A structure that was learned
        later may have a sixth, its own.
    """
    card = find_card(request.model)
    check_structures_card(card)
    if card.family == PACKAGE:
        raise ValueError(f"'{card.name}' is no RepMode, so it has no scales to show.")
    task = task_index(card, request.task)
    yield Progress(f"loading {card.name}")
    network = cast("RepMode", models.get(card, "cpu"))
    return {name: gates.detach().numpy() for name, gates in network.gates(task).items()}
