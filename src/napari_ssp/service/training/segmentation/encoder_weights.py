"""Pretrained encoder of a training: found, tried before any image is read, noted in the run."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from napari_ssp.atomic import write_text
from napari_ssp.progress import Progress
from napari_ssp.registry.card import EncoderWeights
from napari_ssp.registry.card_checks import read_entries
from napari_ssp.registry.pretrained.loading import load_encoder
from napari_ssp.registry.pretrained.sources import find_encoder_file
from napari_ssp.registry.weights import build_network
from napari_ssp.service.training.segmentation.workload import network_card
from napari_ssp.training.records import has_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from napari_ssp.progress import Steps
    from napari_ssp.registry.pretrained.sources import EncoderFile
    from napari_ssp.service.training.requests import TrainRequest

#: Provenance of the weights that a run began with, in its folder.
ENCODER_FILE = "encoder.json"


def encoder_file_steps(request: TrainRequest) -> Steps[EncoderFile | None]:
    """Find the weights that a run begins with; None where it has none, or goes on.

    Raises
    ------
    FileNotFoundError, ValueError
        When there are none, or a run goes on that was started without.
    """
    choice = request.network.encoder_weights
    if choice is None:
        return None
    if has_checkpoint(request.output):
        if read_encoder_weights(request.output) is None:
            raise ValueError(
                f"The run in {request.output} was started without pretrained encoder weights, so "
                "it cannot go on with some. Train in another folder, or leave them out."
            )
        return None
    yield Progress("looking for the encoder's weights")
    return find_encoder_file(choice, request.network.encoder)


def check_encoder_steps(request: TrainRequest) -> Steps[None]:
    """Try the weights in a network that is thrown away.

    Raises
    ------
    FileNotFoundError, ValueError
        When there are none, or they do not fit.
    """
    file = yield from encoder_file_steps(request)
    if file is not None:
        begin_with(build_network(network_card(request)), request.network.encoder, file)


def begin_with(network: nn.Module, encoder: str, file: EncoderFile) -> None:
    """Put the weights into a new network; errors as `load_encoder`."""
    part: nn.Module = network.encoder  # type: ignore[assignment]
    load_encoder(part, encoder, file)


def note_encoder_weights(folder: Path, weights: EncoderWeights | None) -> None:
    """Note what a run begins with."""
    if weights is None:
        (folder / ENCODER_FILE).unlink(missing_ok=True)
    else:
        write_text(folder / ENCODER_FILE, json.dumps(asdict(weights), indent=2) + "\n")


def read_encoder_weights(folder: Path) -> EncoderWeights | None:
    """Read what a run began with; None where that was random.

    Raises
    ------
    ValueError
        When the note is damaged.
    """
    path = folder / ENCODER_FILE
    if not path.is_file():
        return None
    try:
        return read_entries(EncoderWeights, json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}. Train in another folder.") from error
