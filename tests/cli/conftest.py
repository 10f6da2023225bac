"""A way to call commands, and a model for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from click.testing import CliRunner, Result

from napari_ssp.cli import main
from napari_ssp.registry import find_card, load_model, save_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def call() -> Callable[..., Result]:
    """Run ``napari-ssp`` with the given words."""
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="session")
def finding_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny model, made to find objects, others in each image; they mean nothing."""
    network = load_model(tiny_model)
    weights = dict(network.named_parameters())
    with torch.no_grad():
        weights["gradflow_head.3.weight"] *= 50
        weights["cellprob_head.3.weight"] *= 200
        weights["cellprob_head.3.bias"] += 2.5
    card = replace(find_card(tiny_model), name="finds")
    return save_model(network, card, tmp_path_factory.mktemp("finds")).weights.parent
