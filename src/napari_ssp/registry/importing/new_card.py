"""The card of a model that was imported: what its file says, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.registry.card import ModelCard
from napari_ssp.registry.importing.allen_structures import (
    ALLEN_STRUCTURES,
    ALLEN_VOXEL_SIZE,
    are_allen,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.registry.importing.recognition import Recognised

_LICENCE = "not stated in the file; ask who gave it to you"
MEDIAR_CITATION = "Lee, Kim, Kim, Yun: MEDIAR, arXiv:2212.03465 (2022)"
REPMODE_CITATION = (
    "Zhou, Gu, Xu, Liu, Wang, Chen, Heng: RepMode, CVPR (2023); data of the label-free collection: "
    "Ounkomol et al., Nature Methods 15 (2018)"
)


def new_card(found: Recognised, name: str, path: Path) -> ModelCard:
    """Card of a recognised file."""
    if found.family == "repmode":
        return _repmode(found, name, path)
    return ModelCard(
        name,
        "mediar",
        found.network,
        "",
        description=f"MEDIAR-Former with the encoder {found.network['encoder']}, from {path.name}.",
        licence=_LICENCE,
        citation=MEDIAR_CITATION,
    )


def _repmode(found: Recognised, name: str, path: Path) -> ModelCard:
    tasks = found.tasks or tuple(f"task_{k + 1:02d}" for k in range(found.network["num_tasks"]))
    said = ", ".join(f"{name} {count}" for name, count in found.notes.items())
    words = f"RepMode for {len(tasks)} structures, from {path.name}" + (
        f" ({said})." if said else "."
    )
    if not found.tasks:
        words += " The file does not name its structures; they are numbered."
    card = ModelCard(
        name,
        "repmode",
        found.network,
        "",
        axes="zyx",
        window=(32, 128, 128),
        tasks=tasks,
        description=words,
        licence=_LICENCE,
        citation=REPMODE_CITATION,
    )
    if not are_allen(tasks):
        return card
    return replace(
        card,
        voxel_size=ALLEN_VOXEL_SIZE,
        task_descriptions={task: ALLEN_STRUCTURES[task] for task in tasks},
        training_data="Label-free collection of the Allen Institute for Cell Science, with its own "
        "terms of use; as the file's options name its datasets",
    )


def complete_card(card: ModelCard, found: Recognised, path: Path) -> ModelCard:
    """Card of a catalogue, with what its file turned out to be.

    Raises
    ------
    ValueError
        When the file is of another network than the card says.
    """
    if card.family != found.family or (card.network and not _same(card.network, found.network)):
        raise ValueError(
            f"{path.name} holds a {found.family} with {found.network}, but the card of "
            f"'{card.name}' says {card.family} with {card.network}."
        )
    if found.tasks and tuple(card.tasks) != found.tasks:
        raise ValueError(
            f"{path.name} predicts {', '.join(found.tasks)}, but the card of '{card.name}' says "
            f"{', '.join(card.tasks)}."
        )
    return replace(card, network=found.network)


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return {key: _list(value) for key, value in one.items()} == {
        key: _list(value) for key, value in other.items()
    }


def _list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
