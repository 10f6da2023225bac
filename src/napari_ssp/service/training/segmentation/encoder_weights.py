"""Weights that the encoder of a training begins with: said in its plan, found, noted in its run."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from napari_ssp.atomic import write_text
from napari_ssp.progress import Progress, run
from napari_ssp.registry.card import EncoderWeights
from napari_ssp.registry.card_checks import read_entries
from napari_ssp.registry.pretrained.published import (
    IMAGENET,
    fetch_steps,
    find_published,
    offer_steps,
)
from napari_ssp.registry.pretrained.sources import find_encoder_file
from napari_ssp.training.run_files import has_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.progress import Steps
    from napari_ssp.registry.pretrained.sources import EncoderFile
    from napari_ssp.service.training.requests import TrainRequest

#: Provenance of the weights that a run began with, in its folder.
ENCODER_FILE = "encoder.json"


def describe_encoder(request: TrainRequest) -> str:
    """Say what the encoder begins with; empty where that is random.

    Raises
    ------
    FileNotFoundError, ValueError, ConnectionError
        When there are no such weights, they are of another encoder, or the server that has them
        cannot be reached.
    """
    choice, encoder = request.network.encoder_weights, request.network.encoder
    if choice is None:
        return ""
    if has_checkpoint(request.output):
        return f"encoder begun with {_begun_with(request).source}"
    if choice == IMAGENET:
        return f"encoder with {run(offer_steps(find_published(encoder)))}"
    weights = find_encoder_file(choice, encoder).weights
    return f"encoder with the weights of {weights.source} (licence {weights.licence})"


def encoder_file_steps(request: TrainRequest) -> Steps[EncoderFile | None]:
    """Find or download the weights that a run begins with; None where it has none, or goes on.

    Raises
    ------
    FileNotFoundError, ValueError, ConnectionError
        As `describe_encoder`.
    """
    choice, encoder = request.network.encoder_weights, request.network.encoder
    if choice is None:
        return None
    if has_checkpoint(request.output):
        _begun_with(request)
        return None
    yield Progress("looking for the encoder's weights")
    if choice == IMAGENET:
        return (yield from fetch_steps(find_published(encoder)))
    return find_encoder_file(choice, encoder)


def _begun_with(request: TrainRequest) -> EncoderWeights:
    weights = read_encoder_weights(request.output)
    if weights is None:
        raise ValueError(
            f"The run in {request.output} was started without pretrained encoder weights, so it "
            "cannot go on with some. Train in another folder, or leave them out."
        )
    return weights


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
