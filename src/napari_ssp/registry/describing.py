"""A card in words, for a terminal, a dock or a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.registry.card import CELLPOSE, PACKAGE
from napari_ssp.registry.cellpose_models import cellpose_folder, cellpose_weights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_ssp.registry.card import ModelCard

_FAMILIES = {
    "mediar": "mediar, segments cells and nuclei",
    "repmode": "repmode, predicts structures",
    "critic": "critic, says where labels are wrong",
    "student": "student, segments what was annotated as masks",
    "teacher": "teacher, predicts the loss of masks",
    "package": "BioImage.IO package",
    "cellpose": "cellpose, segments cells",
}


def card_lines(card: ModelCard) -> list[tuple[str, str]]:
    """Everything that the user wants to know of a model, as labels and texts."""
    lines = [
        ("name", card.name),
        ("what it is", card.description),
        ("family", _FAMILIES.get(card.family, card.family)),
        ("state", state_words(card)),
        ("size", size_words(card)),
        ("licence", card.licence or "not stated"),
        ("citation", card.citation),
        ("input", _input(card)),
        ("voxel size", _voxel_size(card)),
        ("training data", card.training_data),
        ("origin", card.origin),
        ("encoder began with", _encoder_weights(card)),
        ("average of", ", ".join(card.members)),
        ("where it fails", f"{card.fallback} takes over" if card.fallback else ""),
        ("trained from", card.base or ""),
        ("reviews results of", ", ".join(card.reviews)),
        ("network", _network(card)),
        ("sha256", card.sha256),
    ]
    lines += [(f"predicts {task}", card.task_descriptions.get(task, "")) for task in card.tasks]
    lines += [(name, f"{value:.4g}") for name, value in card.figures.items()]
    if card.remote is not None:
        lines += [("file", card.remote.name), ("found at", card.remote.page)]
    return [(label, text) for label, text in lines if text or label.startswith("predicts")]


def matches(card: ModelCard, words: Iterable[str]) -> bool:
    """Whether a card has all of some words, in any case."""
    text = " ".join(" ".join(line) for line in card_lines(card)).casefold()
    return all(word.casefold() in text for word in words)


def task_words(card: ModelCard) -> str:
    """Say what a model predicts, in a few words: "cells", "12 structures"."""
    return card.tasks[0] if len(card.tasks) == 1 else f"{len(card.tasks)} structures"


def state_words(card: ModelCard) -> str:
    """Whether a model can be used now."""
    if card.folder is not None:
        return f"installed in {card.folder}"
    if card.family == CELLPOSE and cellpose_weights(card).is_file():
        return f"installed with cellpose, weights in {cellpose_folder()}"
    if card.members:
        return "installed" if card.sha256 else "its members are to be downloaded"
    return "can be downloaded" if card.remote is not None else "not installed"


def size_words(card: ModelCard) -> str:
    """How large a model is, in MB and in learned numbers."""
    learned = f"{card.parameters / 1e6:.4g} million parameters" if card.parameters else ""
    return ", ".join(part for part in (_megabytes(card), learned) if part)


def _network(card: ModelCard) -> str:
    if card.family == CELLPOSE:
        return f"cellpose's {card.network['weights']}"
    if card.family == PACKAGE:
        kinds = {"onnx": "ONNX graph", "torchscript": "TorchScript program"}
        return f"{kinds[card.network['format']]}, gives {card.network['output']}"
    return ", ".join(f"{key} {value}" for key, value in card.network.items())


def _encoder_weights(card: ModelCard) -> str:
    weights = card.encoder_weights
    if weights is None:
        return ""
    place = f", {weights.page}" if weights.page else ""
    return f"{weights.source} (licence: {weights.licence or 'not stated'}){place}"


def _megabytes(card: ModelCard) -> str:
    path = cellpose_weights(card) if card.family == CELLPOSE else card.folder and card.weights
    if path and path.is_file():
        return _bytes(path.stat().st_size)
    if card.remote is not None and card.remote.size:
        return _bytes(card.remote.size)
    # As float32, which is what published files hold.
    return f"about {_bytes(card.parameters * 4)}" if card.parameters else ""


def _bytes(count: int) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"


def _input(card: ModelCard) -> str:
    kind = "one plane, grey or RGB"
    if len(card.axes) == 3:
        kind = "a stack" if card.family == PACKAGE else "a stack of transmitted light"
    window = " × ".join(str(side) for side in card.window)
    if card.largest_window is not None:
        window += " to " + " × ".join(str(side) for side in card.largest_window)
    zoom = f", magnified {card.zoom:g} times" if card.zoom != 1.0 else ""
    size = f", objects about {card.object_diameter:.3g} px then" if card.object_diameter else ""
    return f"{kind} ({card.axes}), in windows of {window}{zoom}{size}"


def _voxel_size(card: ModelCard) -> str:
    if card.voxel_size is None:
        return "any"
    return " × ".join(f"{step:g}" for step in card.voxel_size) + " µm (z, y, x)"
