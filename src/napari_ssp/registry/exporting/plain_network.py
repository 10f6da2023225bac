"""The plain network of a model and an example of its input, for export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from napari_ssp.registry.card import ModelCard


def choose_task(card: ModelCard, task: str | None) -> str:
    """Task that is exported; a ValueError when it is not clear or not the model's."""
    if card.family not in ("mediar", "repmode"):
        raise ValueError(
            f"'{card.name}' is a {card.family}, which is written for this program only: export it "
            "without another format."
        )
    if task is None and len(card.tasks) == 1:
        return card.tasks[0]
    if task not in card.tasks:
        said = f"'{task}' is none of them" if task else "choose one"
        raise ValueError(
            f"A package predicts one structure, {said}: '{card.name}' has {', '.join(card.tasks)}."
        )
    return task


def build_plain_network(card: ModelCard, task: str) -> tuple[nn.Module, int]:
    """Plain network of a task, and the number of which its input's lengths are multiples."""
    from napari_ssp.registry.weights import load_model  # loads torch

    network: Any = load_model(card)
    stride = int(network.stride)
    merged = card.family == "repmode"
    return (network.merge(card.tasks.index(task)) if merged else network), stride


def make_example(card: ModelCard, stride: int) -> NDArray[np.float32]:
    """Input with known percentiles: 0 and 1, each in a twentieth of its pixels."""
    chance = np.random.default_rng(0)
    if card.family == "repmode":
        return chance.normal(size=(1, 1, stride, 2 * stride, 2 * stride)).astype(np.float32)
    values = chance.uniform(size=(1, 3, 4 * stride, 2 * stride)).astype(np.float32)
    places = chance.permutation(values.size)
    values.flat[places[: values.size // 20]] = 0.0
    values.flat[places[-values.size // 20 :]] = 1.0
    return values


def apply_preprocessing(card: ModelCard, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Do to the example what the package says is done to an input."""
    shift, scale = 0.0, 1.0
    if card.family == "repmode":
        shift, scale = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    scaled = ((values - shift) / (scale + 1e-6)).astype(np.float32)
    return scaled if card.family == "repmode" else scaled.clip(0, 1)
