"""Loader of pretrained weights into the encoder of a new network; nothing in a file is executed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from napari_ssp.registry.importing.safetensors_files import is_safetensors, read_safetensors
from napari_ssp.registry.importing.torch_files import (
    is_torch_file,
    plain_tensors,
    read_torch_file,
)
from napari_ssp.registry.pretrained.keys import EncoderKeys
from napari_ssp.registry.pretrained.stem import take_unit_range

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from napari_ssp.registry.pretrained.sources import EncoderFile

#: Mean and deviation of ImageNet's images, channel by channel.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_OF_TIMM = "tu-"


def load_encoder(network: nn.Module, name: str, file: EncoderFile) -> None:
    """Put pretrained weights into a network's encoder, which goes on to take images in [0, 1].

    Parameters
    ----------
    network : torch.nn.Module
        A new `MediarFormer` with three channels; changed only where everything fits.
    name : str
        Of its encoder, in :data:`napari_ssp.networks.encoders.ENCODERS`.
    file : EncoderFile
        The weights.

    Raises
    ------
    ValueError
        When the file is damaged, asks to run code, or is of another network.
    """
    encoder: nn.Module = network.encoder  # type: ignore[assignment]
    keys = EncoderKeys(_shapes(encoder), _whole_network(name))
    state = keys.match(read_tensors(file.path), f"{file.path.name} (for {name})")
    bad = [key for key, value in state.items() if not torch.isfinite(value).all()]
    if bad:
        where = bad[0].removeprefix("model.")
        raise ValueError(f"{file.path.name} holds numbers that are not finite, in {where}.")
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    encoder.load_state_dict(before | state)
    try:
        take_unit_range(encoder, *_convention(name))
    except ValueError:
        encoder.load_state_dict(before)
        raise


def read_tensors(path: Path) -> dict[str, Any]:
    """Tensors of a file by name.

    Raises
    ------
    ValueError
        When it is damaged, asks to run code, or holds something else.
    """
    if is_safetensors(path):
        return read_safetensors(path)
    content = read_torch_file(path) if is_torch_file(path) else None
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content:
        raise ValueError(
            f"{path.name} is damaged or no file of weights. Give a file of "
            "torch.save(model.state_dict(), ...), or a .safetensors file."
        )
    return plain_tensors(content, path)


def _whole_network(name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors that a file for an encoder may hold, also those behind its levels."""
    from napari_ssp.networks.encoder_library import smp, timm

    if name.startswith(_OF_TIMM):
        return _shapes(timm.create_model(name.removeprefix(_OF_TIMM), pretrained=False))
    shapes = _shapes(smp.encoders.get_encoder(name, depth=5, weights=None))
    last = shapes["norm4.weight"][0]
    return shapes | {"head.weight": (1000, last), "head.bias": (1000,)}


def _convention(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation that the inputs of an encoder were normalised with."""
    if not name.startswith(_OF_TIMM):
        return _IMAGENET
    from napari_ssp.networks.encoder_library import timm

    settings = timm.get_pretrained_cfg(name.removeprefix(_OF_TIMM), allow_unregistered=False)
    return (settings.mean, settings.std) if settings else _IMAGENET


def _shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}
