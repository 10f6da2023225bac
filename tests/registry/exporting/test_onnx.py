"""Networks as ONNX graphs: what other programs compute is what torch computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from napari_ssp.cli import main
from napari_ssp.progress import run
from napari_ssp.registry import ModelCard, export_onnx_steps, load_model, save_model
from napari_ssp.registry.exporting import onnx as onnx_files
from napari_ssp.registry.weights import build_network

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ort = pytest.importorskip("onnxruntime")


def _computed(path: Path, x: torch.Tensor) -> NDArray[np.float32]:
    session: Any = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(None, {"image": x.numpy()})[0]
    return found


@pytest.fixture(scope="module")
def segformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the family of encoders that the published weights have, the smallest."""
    torch.manual_seed(0)
    network = {"encoder": "mit_b0", "decoder_channels": [16] * 5, "pab_channels": 16}
    card = ModelCard("segformer", "mediar", network, "", window=(64, 64))
    folder = tmp_path_factory.mktemp("segformer")
    return save_model(build_network(card), card, folder).weights.parent


def test_cells(segformer: Path, tmp_path: Path) -> None:
    path = run(export_onnx_steps(segformer, tmp_path / "cells.onnx"))
    assert [p.name for p in tmp_path.iterdir()] == ["cells.onnx"]
    x = torch.rand(2, 3, 96, 160)  # another size and batch than was exported
    with torch.inference_mode():
        wanted = load_model(segformer)(x).numpy()
    np.testing.assert_allclose(_computed(path, x), wanted, atol=1e-4 * np.abs(wanted).max())


def test_structures_on_the_command_line(tiny_structures: Path, tmp_path: Path) -> None:
    path = tmp_path / "dna.onnx"
    words = ["models", "export", str(tiny_structures), "-o", str(path), "--format", "onnx"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert "choose one" in done.output
    done = CliRunner().invoke(main, [*words, "--task", "dna"])
    assert done.exit_code == 0, done.output
    x = torch.rand(1, 1, 16, 48, 32)
    with torch.inference_mode():
        wanted = load_model(tiny_structures)(x, torch.tensor([0])).numpy()
    np.testing.assert_allclose(_computed(path, x), wanted, atol=1e-4 * np.abs(wanted).max())


def test_what_is_missing_is_named(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"written to a \.onnx file"):
        run(export_onnx_steps(tiny_model, tmp_path / "x.zip"))
    monkeypatch.setattr(onnx_files, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'needs onnx and onnxruntime: pip install "napari-ssp'):
        run(export_onnx_steps(tiny_model, tmp_path / "x.onnx"))
