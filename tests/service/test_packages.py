"""BioImage.IO packages run through Segment and Predict: the same engine, real results."""

from __future__ import annotations

import json
import warnings
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import napari_ssp as ssp
from napari_ssp.progress import run
from napari_ssp.registry import export_bioimage_steps, import_checkpoint
from napari_ssp.service import Refinement, as_script
from napari_ssp.service.package_segmentation import objects_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.registry import ModelCard


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(folder))
    return folder


class Steep(torch.nn.Module):
    """Says how sure it is that a pixel is above 0.5, or what its inverse is."""

    def __init__(self, gain: float, offset: float) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 1, 1)
        with torch.no_grad():
            self.conv.weight.fill_(gain)
            self.conv.bias.fill_(offset)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def _npy(values: Any) -> bytes:
    buffer = BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def _imported(network: torch.nn.Module, path: Path, channel: str, after: list[Any]) -> ModelCard:
    """Write a package of a network for grey planes that are scaled to 0 to 1, and import it."""
    space = [{"type": "space", "id": a, "size": {"min": 16, "step": 16}} for a in "yx"]
    axes = [{"type": "batch"}, {"type": "channel", "channel_names": ["grey"]}, *space]
    out = [axes[0], {"type": "channel", "channel_names": [channel]}, *axes[2:]]
    values = np.random.default_rng(0).uniform(size=(1, 1, 16, 32)).astype(np.float32)
    low, high = values.min(), values.max()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        found = network(torch.from_numpy((values - low) / (high - low + 1e-6))).numpy()
        buffer = BytesIO()
        torch.jit.save(torch.jit.script(network.eval()), buffer)
    found = 1 / (1 + np.exp(-found)) if after else found
    content = {
        "format_version": "0.5.4",
        "type": "model",
        "name": channel,
        "inputs": [
            {
                "axes": axes,
                "test_tensor": {"source": "in.npy"},
                "preprocessing": [{"id": "scale_range"}],
            }
        ],
        "outputs": [
            {"id": "o", "axes": out, "test_tensor": {"source": "out.npy"}, "postprocessing": after}
        ],
        "weights": {"torchscript": {"source": "w.pt"}},
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", json.dumps(content))
        archive.writestr("w.pt", buffer.getvalue())
        archive.writestr("in.npy", _npy(values))
        archive.writestr("out.npy", _npy(found))
    return import_checkpoint(path, trusted=True)


@pytest.fixture
def squares() -> NDArray[np.uint16]:
    image = np.full((70, 90), 100, np.uint16)
    image[10:20, 10:30] = 900
    image[40:60, 50:70] = 700
    image[45:47, 55:57] = 100  # a hole to be filled
    image[5:7, 80:82] = 900  # too small
    return image


def test_a_probability_becomes_objects(
    cache: Path, squares: NDArray[np.uint16], tmp_path: Path
) -> None:
    card = _imported(Steep(20, -10), tmp_path / "p.zip", "p", [{"id": "sigmoid"}])
    assert (card.network["output"], card.makes) == ("probability", "objects")
    found = ssp.segment(np.stack([squares, squares[::-1]]), card.name, axes="zyx", min_size=10)
    expected = np.zeros((2, *squares.shape), np.uint32)
    expected[0, 10:20, 10:30], expected[0, 40:60, 50:70] = 1, 2
    expected[1, 10:30, 50:70], expected[1, 50:60, 10:30] = 3, 4
    np.testing.assert_array_equal(found.labels, expected)
    assert found.labels.dtype == np.uint32
    assert not found.flows.any()
    assert found.cell_probability.max() > 0.99
    assert found.provenance["model"]["sha256"] == card.sha256
    part = ssp.segment(squares, card.name, region=(35, 70, 40, 90), min_size=10)
    np.testing.assert_array_equal(part.labels, expected[0, 35:70, 40:90] // 2)
    with pytest.raises(ValueError, match="come from a model without flows"):
        Refinement(found)
    assert "model='p'" in as_script(found.provenance, "x.tif")
    with pytest.raises(ValueError, match="leave mirror averaging out"):
        ssp.segment(squares, card.name, tta=True)
    with pytest.raises(ValueError, match="segments cells; it does not predict"):
        ssp.predict_structures(squares[None], ["p"], card.name, axes="zyx")


def test_boundaries_part_what_touches() -> None:
    inside, boundary = np.zeros((2, 12, 30), np.float32)
    inside[2:10, 2:28] = 0.9
    boundary[:, 14:16] = 0.9
    found = objects_of(inside > 0.5, boundary, 0.5, 4)
    assert found.max() == 2
    assert set(np.unique(found[2:10, 2:14])) == {1}
    assert (found > 0).sum() == (inside > 0.5).sum()
    assert objects_of(inside > 0.5, None, 0.5, 4).max() == 1
    assert objects_of(inside > 0.5, None, 0.5, 1000).max() == 0


def test_an_image_comes_of_planes_with_and_without_a_stack(
    cache: Path, squares: NDArray[np.uint16], tmp_path: Path
) -> None:
    card = _imported(Steep(-1, 1), tmp_path / "i.zip", "inverse", [])
    assert card.makes == "images"
    scaled = (squares - 100.0) / 800
    found = ssp.predict_structures(squares, ["inverse"], card.name)
    np.testing.assert_allclose(found["inverse"], 1 - scaled, atol=1e-5)
    stack = np.stack([squares, squares[:, ::-1]])
    found = ssp.predict_structures(stack, ["inverse"], card.name, z_range=(1, 2), axes="zyx")
    np.testing.assert_allclose(found["inverse"], 1 - scaled[None, :, ::-1], atol=1e-5)
    with pytest.raises(ValueError, match="predicts images"):
        ssp.segment(squares, card.name)


@pytest.mark.filterwarnings("ignore")
def test_our_structures_come_back(cache: Path, tiny_structures: Path, tmp_path: Path) -> None:
    path = run(export_bioimage_steps(tiny_structures, tmp_path / "s.zip", "nucleoli"))
    card = import_checkpoint(path, trusted=True)
    assert (card.axes, card.window, card.tasks) == ("zyx", (16, 32, 32), ("nucleoli",))
    assert card.voxel_size == (0.29, 0.29, 0.29)
    stack = np.random.default_rng(1).integers(0, 4000, (18, 40, 44)).astype(np.uint16)
    wanted = ssp.predict_structures(stack, ["nucleoli"], str(tiny_structures), device="cpu")
    found = ssp.predict_structures(stack, ["nucleoli"], card.name, device="cpu")
    scale = np.abs(wanted["nucleoli"]).max()
    np.testing.assert_allclose(found["nucleoli"], wanted["nucleoli"], atol=1e-4 * scale)


@pytest.mark.filterwarnings("ignore")
def test_our_cells_come_back(
    cache: Path, tiny_model: Path, squares: NDArray[np.uint16], tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    path = run(export_bioimage_steps(tiny_model, tmp_path / "m.zip", with_onnx=True))
    card = import_checkpoint(path, "again")
    assert (card.network["output"], card.window) == ("flows", (64, 64))
    wanted, found = (ssp.segment(squares, m) for m in (str(tiny_model), "again"))
    # The package says a little less of how images are normalised.
    for one, other in (
        (wanted.flows, found.flows),
        (wanted.cell_probability, found.cell_probability),
    ):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9
    again = ssp.segment(squares, "again")
    np.testing.assert_array_equal(again.flows, found.flows)
    with pytest.raises(ValueError, match="run as it is, not averaged"):
        ssp.segment(squares, "again+mediar-starter")
