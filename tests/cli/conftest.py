"""A tiny model in the user's cache, and a way to call commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from click.testing import CliRunner, Result

from napari_ssp.cli import main
from napari_ssp.registry import ModelCard, save_model
from napari_ssp.registry.weights import build_network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Call = "Callable[..., Result]"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = {"encoder": "tu-resnet18d", "decoder_channels": [16, 16, 16, 16], "pab_channels": 16}
    card = ModelCard("tiny", "mediar", network, "", window=(64, 64))
    return save_model(build_network(card), card, tmp_path_factory.mktemp("tiny")).weights.parent


@pytest.fixture
def call() -> Callable[..., Result]:
    """Run ``napari-ssp`` with the given words."""
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])
