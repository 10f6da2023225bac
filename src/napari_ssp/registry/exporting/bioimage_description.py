"""Description of a model for BioImage.IO: inputs, outputs, licence, citation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ssp.registry.card import ModelCard

_FORMAT = "0.5.4"
#: Licences that the format knows by their short name; a longer text is left to the README.
_LICENCES = ("BSD-3-Clause", "BSD-2-Clause", "MIT", "Apache-2.0", "CC0-1.0", "CC-BY-4.0")
_CITATIONS = {
    "mediar": {"text": "Lee et al.: MEDIAR (2022)", "url": "https://arxiv.org/abs/2212.03465"},
    "repmode": {"text": "Zhou et al.: RepMode (2023)", "url": "https://arxiv.org/abs/2212.10066"},
}
_FLOWS = ["flow_y", "flow_x", "cell_logit"]


def describe_package(card: ModelCard, task: str, stride: int) -> dict[str, Any]:
    """Content of a package's ``rdf.yaml``, without its weights and its date.

    Parameters
    ----------
    card : ModelCard
        The model.
    task : str
        What the package predicts.
    stride : int
        Of which the input's lengths are multiples.
    """
    words = f"{card.description} Predicts: {task}."
    content: dict[str, Any] = {
        "format_version": _FORMAT,
        "type": "model",
        "name": re.sub(r"[^A-Za-z0-9 _+()-]+", "-", f"{card.name} {task}"),
        "description": words[:1000],
        "authors": [{"name": "see the citation"}],
        "cite": [_CITATIONS[card.family]],
        "documentation": "README.md",
        "tags": ["napari-ssp", card.family, task],
        "inputs": [_input(card, stride)],
        "outputs": [_output(card, task)],
        "weights": {},
        # What the format has no words for, for napari-ssp itself.
        "config": {
            "napari_ssp": {
                "zoom": card.zoom,
                "object_diameter": card.object_diameter,
                "window": list(card.window),
            },
        },
    }
    if card.licence in _LICENCES:
        content["license"] = card.licence
    return content


def _input(card: ModelCard, stride: int) -> dict[str, Any]:
    size = {"min": stride, "step": stride}
    colours = ["light"] if card.family == "repmode" else ["red", "green", "blue"]
    return {
        "id": "image",
        "axes": [_batch(), _channels(colours), *_spaces(card, dict.fromkeys(card.axes, size))],
        "data": {"type": "float32"},
        "test_tensor": {"source": "test_input.npy"},
        "preprocessing": _preprocessing(card),
    }


def _output(card: ModelCard, task: str) -> dict[str, Any]:
    name = re.sub(r"\W+", "_", task).strip("_").lower()
    if not name.isidentifier():
        name = f"structure_{name}"
    channels = _FLOWS if card.family == "mediar" else [name]
    sizes = {axis: {"tensor_id": "image", "axis_id": axis} for axis in card.axes}
    return {
        "id": "prediction",
        "axes": [_batch(), _channels(channels), *_spaces(card, sizes)],
        "data": {"type": "float32"},
        "test_tensor": {"source": "test_output.npy"},
    }


def _batch() -> dict[str, Any]:
    return {"type": "batch"}


def _channels(names: list[str]) -> dict[str, Any]:
    return {"type": "channel", "channel_names": names}


def _spaces(card: ModelCard, sizes: dict[str, Any]) -> list[dict[str, Any]]:
    axes = [{"type": "space", "id": axis, "size": sizes[axis]} for axis in card.axes]
    if card.voxel_size is not None:
        steps = dict(zip("zyx", card.voxel_size, strict=True))
        axes = [
            axis | {"unit": "micrometer", "scale": steps[name]}
            for axis, name in zip(axes, card.axes, strict=True)
        ]
    return axes


def _preprocessing(card: ModelCard) -> list[dict[str, Any]]:
    """As the model was trained, as far as the format has words for it."""
    axes = ["channel", *card.axes]
    if card.family == "repmode":
        return [{"id": "zero_mean_unit_variance", "kwargs": {"axes": axes, "eps": 1e-6}}]
    # MEDIAR takes the percentiles of the values above 0, which the format cannot say.
    percentiles = {"axes": axes, "min_percentile": 0.0, "max_percentile": 99.5, "eps": 1e-6}
    return [
        {"id": "scale_range", "kwargs": percentiles},
        {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}},
    ]
