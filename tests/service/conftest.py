"""A real but tiny model folder, so that service tests take milliseconds per window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from napari_ssp.registry import ModelCard, save_model
from napari_ssp.registry.weights import build_network

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = {"encoder": "tu-resnet18d", "decoder_channels": [16, 16, 16, 16], "pab_channels": 16}
    card = ModelCard("tiny", "mediar", network, "", window=(64, 64))
    return save_model(build_network(card), card, tmp_path_factory.mktemp("tiny")).weights.parent
