"""Fixtures for all tests: shared read-only data, and napari settings kept apart."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _folder(name: str) -> Path:
    path = SHARED / name
    if not path.is_dir():
        pytest.skip(f"the shared folder '{name}' is not beside this checkout")
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images with licences; absent outside the development machines."""
    return _folder("data")


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """Numbers produced by the original implementations, with their small generators importable."""
    path = _folder("reference")
    if str(path) not in sys.path:
        sys.path.insert(0, str(path))
    return path


@pytest.fixture(scope="session", autouse=True)
def _private_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep napari's settings and our own cache out of the user's folders."""
    folder = tmp_path_factory.mktemp("settings")
    os.environ["NAPARI_CONFIG"] = str(folder / "napari.yaml")
    os.environ["NAPARI_SSP_CACHE"] = str(folder / "cache")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a real but tiny model without training: milliseconds per window."""
    import torch

    from napari_ssp.registry import ModelCard, save_model
    from napari_ssp.registry.weights import build_network

    torch.manual_seed(0)
    network = {"encoder": "tu-resnet18d", "decoder_channels": [16, 16, 16, 16], "pab_channels": 16}
    card = ModelCard("tiny", "mediar", network, "", window=(64, 64))
    return save_model(build_network(card), card, tmp_path_factory.mktemp("tiny")).weights.parent


@pytest.fixture(scope="session")
def tiny_structures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a real but tiny RepMode model without training, with three tasks."""
    import torch

    from napari_ssp.registry import ModelCard, save_model
    from napari_ssp.registry.weights import build_network

    torch.manual_seed(0)
    tasks = ("dna", "lamin_b1", "nucleoli")
    card = ModelCard(
        "tiny-structures",
        "repmode",
        {"num_tasks": len(tasks), "base_channels": 2},
        "",
        axes="zyx",
        window=(16, 32, 32),
        voxel_size=(0.29, 0.29, 0.29),
        tasks=tasks,
        task_descriptions={"dna": "DNA in the nucleus"},
        target_statistics={"dna": (120.0, 30.0)},
    )
    folder = tmp_path_factory.mktemp("tiny-structures")
    return save_model(build_network(card), card, folder).weights.parent
