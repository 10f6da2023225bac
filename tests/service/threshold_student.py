"""A student whose weights make it a threshold: exact, so that objects can be foretold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_ssp.networks import Student
from napari_ssp.registry import ModelCard, save_model

if TYPE_CHECKING:
    from pathlib import Path

#: Numbers of a patch: its 256 pixels, their negatives, and four that the layer norm divides by.
_WIDTH, _LARGE = 516, 100.0


def threshold_student(gain: float = 20.0, threshold: float = 0.5) -> Student:
    """Student of 32 x 32 pixels whose logit is ``gain`` times (pixel - ``threshold``)."""
    student = Student("vit", size=32, width=_WIDTH, depth=1, heads=3)
    state = {key: torch.zeros_like(value) for key, value in student.state_dict().items()}
    pixels = torch.eye(256).view(256, 1, 16, 16)
    patch = state["network.patch_embedding.patch_embeddings.weight"]
    patch[:256], patch[256:512] = pixels, -pixels
    state["network.patch_embedding.patch_embeddings.bias"][512:] = torch.tensor(
        [_LARGE, -_LARGE, _LARGE, -_LARGE]
    )
    state["network.norm.weight"] += 1.0
    # Layer norm divides by the deviation, which the four large numbers make the same everywhere.
    deviation = 2.0 * _LARGE / _WIDTH**0.5
    first, second = (state[f"network.conv3d_transpose{n}.weight"] for n in ("", "_1"))
    for number in range(256):
        y, x = divmod(number, 16)
        first[number, 4 * (y % 4) + x % 4, y // 4, x // 4] = gain * deviation
    for channel in range(16):
        second[channel, 0, channel // 4, channel % 4] = 1.0
    state["network.conv3d_transpose_1.bias"] -= gain * threshold
    student.load_state_dict(state)
    return student


def write_threshold_student(folder: Path, name: str = "thresholds") -> Path:
    """Write it as a model."""
    card = ModelCard(
        name,
        "student",
        {"architecture": "vit", "size": 32, "width": _WIDTH, "depth": 1, "heads": 3},
        "",
        window=(32, 32),
        overlap=0.25,
        tasks=("mitochondria",),
    )
    save_model(threshold_student(), card, folder, torch.float32)
    return folder
