"""Card of a model of structures to be trained: its tasks and its network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.registry import ModelCard, find_card
from napari_ssp.service.structures.plan import task_index

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_ssp.image import VoxelSize
    from napari_ssp.service.training.requests import TrainStructuresRequest
    from napari_ssp.service.training.structures.data import StructureData

#: Zero padding tells on two to four pixels of a rim.
_MARGIN = 4


def base_card(request: TrainStructuresRequest) -> ModelCard | None:
    """Card of the model to start from, or None.

    Raises
    ------
    FileNotFoundError
        When there is no such model.
    ValueError
        When no structures can be learned from it, or it does not know the one to begin as.
    """
    if request.base is None:
        return None
    card = find_card(request.base)
    if card.family != "repmode" or card.members:
        raise ValueError(
            f"'{card.name}' is no RepMode of its own, so no structures can be learned from it. "
            "Choose a base model of the family 'repmode'."
        )
    if request.new_structure.like is not None:
        task_index(card, request.new_structure.like)
    return card


def new_structure(base: ModelCard | None, tasks: Iterable[str]) -> str | None:
    """Structure of the pairs that a base does not know; None where there is none, or no base.

    Raises
    ------
    ValueError
        When there are several, or a new one among known ones.
    """
    seen = list(dict.fromkeys(tasks))
    new = [task for task in seen if base is not None and task not in base.tasks]
    if base is None or not new:
        return None
    if len(new) > 1:
        raise ValueError(
            f"The pairs show {', '.join(new)}, none of which '{base.name}' knows. New structures "
            "are learned one after the other: train on the pairs of one, then take the result as "
            "the base of the next."
        )
    known = [task for task in seen if task in base.tasks]
    if known:
        raise ValueError(
            f"The pairs show {new[0]}, which is new to '{base.name}', and {', '.join(known)}, "
            "which it knows. While a new structure is learned all others stay as they are: leave "
            "their pairs out, or train on them apart."
        )
    return new[0]


def new_card(
    request: TrainStructuresRequest,
    base: ModelCard | None,
    data: StructureData,
    crop: tuple[int, int, int],
) -> ModelCard:
    """Card of the model to be.

    Raises
    ------
    ValueError
        When the stacks' voxel size is not the base's.
    """
    card = ModelCard(
        name=request.name,
        family="repmode",
        network={"num_tasks": len(data.tasks), "base_channels": request.stacks.base_channels},
        sha256="",
        axes="zyx",
        window=crop,
        margin=_MARGIN,
        voxel_size=request.stacks.voxel_size or data.voxel_size,
        tasks=data.tasks,
        task_descriptions={**data.descriptions, **request.descriptions},
        target_statistics=data.target_statistics,
        from_planes=_from_planes(data),
        description=_description(request, data),
        training_data=", ".join(source.name for source in request.data),
    )
    return card if base is None else _of_base(card, base, request)


def _from_planes(data: StructureData) -> tuple[str, ...]:
    """Tasks that were learned from planes alone."""
    pairs = data.training
    stacks = {data.tasks[pair.task] for pair in pairs if pair.signal.shape[0] > 1}
    planes = {data.tasks[pair.task] for pair in pairs} - stacks
    return tuple(task for task in data.tasks if task in planes)


def _description(request: TrainStructuresRequest, data: StructureData) -> str:
    flat = sorted({data.tasks[pair.task] for pair in data.training if pair.is_projected})
    flat = [task for task in flat if task not in _from_planes(data)]
    planes = sum(pair.signal.shape[0] == 1 for pair in data.training)
    counts = {"stacks": len(data.training) - planes, "planes": planes}
    listed = " and ".join(f"{number} {what}" for what, number in counts.items() if number)
    words = f"RepMode trained on {listed}."
    if flat:
        words += (
            f" For {', '.join(flat)} only the {request.stacks.projection} projection along z was"
            " measured: where along z the prediction lies is not learned from data."
        )
    return words


def _of_base(card: ModelCard, base: ModelCard, request: TrainStructuresRequest) -> ModelCard:
    check_voxel_size(card.voxel_size, base)
    network: dict[str, Any] = dict(base.network)
    added = card.tasks[len(base.tasks) :]
    if added:
        network["num_tasks"] = len(card.tasks)
        if request.new_structure.own_expert:
            network["own_experts"] = [*network.get("own_experts", []), len(base.tasks)]
    what = f"with '{added[0]}' added" if added else "trained further"
    return replace(
        card,
        network=network,
        window=base.window,
        margin=base.margin,
        voxel_size=base.voxel_size or card.voxel_size,
        task_descriptions={**base.task_descriptions, **card.task_descriptions},
        target_statistics={**base.target_statistics, **card.target_statistics},
        from_planes=_kept_planes(base, card),
        licence=base.licence,
        citation=base.citation,
        description=f"'{base.name}', {what}. {card.description}",
        training_data=f"{card.training_data}; before: {base.training_data or base.name}",
        base=base.name,
    )


def _kept_planes(base: ModelCard, card: ModelCard) -> tuple[str, ...]:
    """Tasks of a base that stay those of planes, and new ones; none that now learns stacks."""
    learned = set(card.target_statistics)
    kept = {task for task in base.from_planes if task not in learned}
    return tuple(task for task in card.tasks if task in kept | set(card.from_planes))


def check_voxel_size(size: VoxelSize | None, base: ModelCard) -> None:
    """Compare the stacks' voxels with those of the base.

    Raises
    ------
    ValueError
        When both are known and far from each other.
    """
    if size is None or base.voxel_size is None:
        return
    ratios = [n / m for n, m in zip(size, base.voxel_size, strict=True)]
    if max(*ratios, *(1 / ratio for ratio in ratios)) > _FAR:
        shown = [" × ".join(f"{n:g}" for n in one) for one in (size, base.voxel_size)]
        raise ValueError(
            f"The stacks have voxels of {shown[0]} µm (z × y × x), '{base.name}' expects "
            f"{shown[1]} µm. Resample the stacks to that size first, for instance with 'napari-ssp "
            "data prepare structures'."
        )


#: Voxel sizes that differ by more than this factor would teach another size of structures.
_FAR = 1.1
