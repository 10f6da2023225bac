"""Weights: verified before use, stored as safetensors, nothing executed on loading."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch.overrides import TorchFunctionMode

from napari_ssp.atomic import atomic_path
from napari_ssp.networks import DenseCritic, MediarFormer, RepMode, Student, Teacher
from napari_ssp.registry.bioimage.network import load_package
from napari_ssp.registry.card import (
    CELLPOSE,
    CRITIC,
    PACKAGE,
    STUDENT,
    TEACHER,
    WEIGHTS_FILE,
    ModelCard,
)
from napari_ssp.registry.catalogue import find_card
from napari_ssp.registry.digests import file_sha256

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


def load_model(model: str | Path | ModelCard, device: str | torch.device = "cpu") -> nn.Module:
    """Network of a model with its weights, float32, in evaluation mode.

    Parameters
    ----------
    model : str, pathlib.Path or ModelCard
        Name, folder, or card.
    device : str or torch.device
        Where the weights go.

    Returns
    -------
    torch.nn.Module
        Ready to predict.

    Raises
    ------
    FileNotFoundError
        When there is no such model.
    ValueError
        When the weights are not those of the card, or no weights at all.
    """
    card = model if isinstance(model, ModelCard) else find_card(model)
    if card.members:
        raise ValueError(
            f"'{card.name}' is an ensemble without weights of its own; load its members: "
            f"{', '.join(card.members)}."
        )
    if card.family == CELLPOSE:
        raise ValueError(f"'{card.name}' is loaded by cellpose itself; it can only segment here.")
    path = card.weights
    if not path.is_file():
        raise FileNotFoundError(f"The weights of '{card.name}' are missing: {path}.")
    found = file_sha256(path)
    if found != card.sha256:
        raise ValueError(
            f"The weights of '{card.name}' are damaged or were replaced: {path} has sha256 "
            f"{found[:12]}…, its card says {card.sha256[:12]}…. Install the model again."
        )
    if card.family == PACKAGE:
        return load_package(card, device)
    with Unfilled():
        network = build_network(card)
    try:
        state = load_file(path)
        network.load_state_dict({key: value.float() for key, value in state.items()}, strict=True)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{path} does not hold the weights of '{card.name}': {error}") from error
    return network.to(device).eval()


#: Class of each family's networks.
FAMILIES: dict[str, type[nn.Module]] = {
    "mediar": MediarFormer,
    "repmode": RepMode,
    CRITIC: DenseCritic,
    STUDENT: Student,
    TEACHER: Teacher,
}


def build_network(card: ModelCard) -> nn.Module:
    """Untrained network that a card describes.

    Raises
    ------
    ValueError
        When the family is unknown or its arguments do not fit.
    """
    if card.family not in FAMILIES:
        raise ValueError(
            f"'{card.name}' is of the family '{card.family}', this version knows: "
            f"{', '.join(FAMILIES)}."
        )
    try:
        return FAMILIES[card.family](**card.network)
    except (TypeError, KeyError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"The card of '{card.name}' has network arguments that do not fit: {error}."
        ) from error


class Unfilled(TorchFunctionMode):
    """Draw no random numbers while a network is built that gets all its numbers from a file."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, but for those that fill a tensor at random."""
        given = kwargs or {}
        if func in _DRAWING or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return func(*args, **given)


_DRAWING = (torch.Tensor.normal_, torch.Tensor.uniform_)


def find_stored_type(card: ModelCard) -> torch.dtype:
    """Type that keeps the numbers of an installed model's weights: float16, or float32."""
    with safe_open(card.weights, "pt") as file:
        types = {file.get_slice(key).get_dtype() for key in file.keys()}
    return torch.float16 if types <= {"F16", "I64"} else torch.float32


def save_model(
    network: nn.Module, card: ModelCard, folder: Path, dtype: torch.dtype = torch.float16
) -> ModelCard:
    """Write a model folder: weights and the card with their digest.

    Parameters
    ----------
    network : torch.nn.Module
        Network to store.
    card : ModelCard
        Its description; the digest is filled in.
    folder : pathlib.Path
        Made when missing; a model in it is replaced.
    dtype : torch.dtype
        Type of the stored weights; tensors with numbers beyond its range keep their own.

    Returns
    -------
    ModelCard
        The card as written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: _stored(value, dtype) for key, value in network.state_dict().items()}
    with atomic_path(folder / WEIGHTS_FILE, overwrite=True) as temporary:
        write_tensors(state, temporary)
        written = replace(card, sha256=file_sha256(temporary), folder=folder)
    written.write(folder)
    return written


def write_tensors(state: dict[str, torch.Tensor], path: Path) -> None:
    """Write tensors as safetensors.

    Raises
    ------
    OSError
        When the disk is full, or may not be written to.
    """
    try:
        save_file(state, path, metadata={"format": "pt"})
    except SafetensorError as error:
        found = re.search(r"os error (\d+)", str(error))
        if found is None:
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1]))) from error


def _stored(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    value = value.detach().cpu().contiguous()
    if not value.is_floating_point():
        return value
    narrow = value.to(dtype)
    # Statistics of some networks are beyond 65 504, the largest number of float16.
    return narrow if torch.equal(narrow.isfinite(), value.isfinite()) else value
