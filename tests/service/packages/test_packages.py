"""BioImage.IO packages run through Segment and Predict: the same engine, real results."""

from __future__ import annotations

import json
import time
import warnings
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import torch

import napari_ssp as ssp
from napari_ssp.progress import run
from napari_ssp.registry import export_bioimage_steps, import_checkpoint
from napari_ssp.service import (
    CancelledError,
    JobState,
    Refinement,
    as_script,
    compartments_request,
    plan_segmentation,
)
from napari_ssp.service.compartments.plan import plan_compartments
from napari_ssp.service.packages.segmentation import label_objects

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

    def __init__(self, gain: float, offset: float, dims: int = 2) -> None:
        super().__init__()
        self.conv = (torch.nn.Conv2d if dims == 2 else torch.nn.Conv3d)(1, 1, 1)
        with torch.no_grad():
            self.conv.weight.fill_(gain)
            self.conv.bias.fill_(offset)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class Leaning(torch.nn.Module):
    """Sees everything one pixel further to the right than it is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 20 * torch.roll(x, 1, -1) - 10


class Endless(torch.nn.Module):
    """Computes what is no larger than its package's test, and anything else for ever."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while bool(x.shape[2] > 16):
            x = x * 1.0
        return 20 * x - 10


class Rims(torch.nn.Module):
    """Says where it is bright, and where it is very bright: there two objects touch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([40 * x - 10, 40 * x - 30], dim=1)


def _npy(values: Any) -> bytes:
    buffer = BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def _imported(
    network: torch.nn.Module,
    path: Path,
    channel: str,
    after: list[Any],
    axes_names: str = "yx",
    scale: dict[str, Any] | None = None,
) -> ModelCard:
    """Write a package of a network for grey images that are scaled to 0 to 1, and import it."""
    size = {"size": {"min": 16, "step": 16}} | (scale or {})
    space = [{"type": "space", "id": a, **size} for a in axes_names]
    axes = [{"type": "batch"}, {"type": "channel", "channel_names": ["grey"]}, *space]
    out = [axes[0], {"type": "channel", "channel_names": channel.split("+")}, *axes[2:]]
    shape = (1, 1, *[16] * (len(axes_names) - 1), 32)
    values = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
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
    with pytest.raises(ValueError, match="'p' is a package that sees one channel, or colours"):
        ssp.segment(np.stack([squares, squares]), card.name, axes="cyx", nuclei=1)
    part = ssp.segment(squares, card.name, region=(35, 70, 40, 90), min_size=10)
    np.testing.assert_array_equal(part.labels, expected[0, 35:70, 40:90] // 2)
    with pytest.raises(ValueError, match="come from a model without flows"):
        Refinement(found)
    assert "model='p'" in as_script(found.provenance, "x.tif")
    with pytest.raises(ValueError, match="is a package that sees planes"):
        ssp.segment(np.stack([squares] * 2), card.name, axes="zyx", stacks="volume")
    with pytest.raises(ValueError, match="segments cells; it does not predict"):
        ssp.predict_structures(squares[None], ["p"], card.name, axes="zyx")


def test_a_package_that_never_ends_is_cancelled_at_once(
    cache: Path, squares: NDArray[np.uint16], tmp_path: Path
) -> None:
    card = _imported(Endless(), tmp_path / "p.zip", "p", [{"id": "sigmoid"}])
    before = {child.pid for child in psutil.Process().children()}
    with ssp.ModelService() as service:
        job = service.submit(ssp.SegmentRequest(squares, card.name))
        deadline = time.monotonic() + 40
        while job.progress.stage != "windows" and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)  # in the midst of a window that never ends
        assert job.state is JobState.RUNNING
        job.cancel()
        with pytest.raises(CancelledError):
            job.result(timeout=15)  # it would compute for ten minutes
    assert {child.pid for child in psutil.Process().children()} <= before


def test_planes_of_a_package_are_linked(
    cache: Path, squares: NDArray[np.uint16], tmp_path: Path
) -> None:
    card = _imported(Steep(20, -10), tmp_path / "p.zip", "p", [{"id": "sigmoid"}])
    stack = np.stack([squares, np.roll(squares, 2, axis=1)])
    found = ssp.segment(stack, card.name, axes="zyx", min_size=10, stacks="linked")
    assert found.num_objects == 2
    for plane, x in ((0, 12), (1, 14)):
        assert found.labels[plane, 12, x] == 1
        assert found.labels[plane, 42, 40 + x] == 2


def test_mirror_images_of_a_package_are_averaged(
    cache: Path, squares: NDArray[np.uint16], tmp_path: Path
) -> None:
    """What leans to one side in one view leans to the other in its mirror image."""
    card = _imported(Leaning(), tmp_path / "p.zip", "p", [{"id": "sigmoid"}])
    scaled = (squares - 100.0) / 800
    seen = 20 * np.stack([np.roll(scaled, k, axis=1) for k in (1, -1, 1)]) - 10
    inner = slice(4, -4)
    plain, mirrored = (ssp.segment(squares, card.name, tta=tta) for tta in (False, True))
    for found, logits in ((plain, seen[0]), (mirrored, seen.mean(axis=0))):
        np.testing.assert_allclose(
            found.cell_probability[inner, inner], 1 / (1 + np.exp(-logits))[inner, inner], atol=1e-4
        )
    turned = ssp.segment(squares, card.name, eightfold=True)
    ways = [np.roll(scaled, k, axis) for k in (1, -1) for axis in (0, 1)]
    wanted = 1 / (1 + np.exp(10 - 20 * np.mean(ways, axis=0)))
    np.testing.assert_allclose(
        turned.cell_probability[inner, inner], wanted[inner, inner], atol=1e-4
    )


@pytest.fixture
def boxes() -> NDArray[np.uint16]:
    """Two time points of a stack with a box with a hole, and one of two that touch."""
    stack = np.full((2, 14, 50, 60), 100, np.uint16)
    stack[:, 2:9, 10:30, 10:30] = 500
    stack[:, 5, 15:17, 15:17] = 100
    stack[:, 4:12, 35:45, 20:50] = 500
    stack[:, 4:12, 35:45, 34:36] = 900  # where they touch
    stack[0, 12:, 2:4, 2:4] = 900  # too small
    return stack


def test_a_probability_in_3d_becomes_3d_objects(
    cache: Path, boxes: NDArray[np.uint16], tmp_path: Path
) -> None:
    card = _imported(Steep(20, -5, 3), tmp_path / "v.zip", "p", [{"id": "sigmoid"}], "zyx")
    assert (card.makes, card.axes, card.tasks) == ("objects", "zyx", ("p",))
    found = ssp.segment(boxes, card.name, axes="tzyx", min_size=30)
    wanted = np.zeros(boxes.shape, np.uint32)
    for point, (first, second) in enumerate([(1, 2), (3, 4)]):
        wanted[point, 2:9, 10:30, 10:30] = first
        wanted[point, 4:12, 35:45, 20:50] = second
    np.testing.assert_array_equal(found.labels, wanted)
    assert found.flows.shape == (3, *boxes.shape)
    assert found.cell_probability[0, 5, 20, 20] > 0.9
    linked = ssp.segment(boxes, card.name, axes="tzyx", min_size=30, stacks="linked")
    np.testing.assert_array_equal(linked.labels, np.where(wanted > 2, wanted - 2, wanted))
    part = ssp.segment(boxes[0], card.name, axes="zyx", min_size=30, region=(30, 50, 15, 40))
    np.testing.assert_array_equal(part.labels > 0, wanted[0, :, 30:50, 15:40] > 0)
    mirrored = ssp.segment(boxes[0], card.name, axes="zyx", min_size=30, tta=True)
    np.testing.assert_array_equal(mirrored.labels, wanted[0])
    with pytest.raises(ValueError, match="come from a model without flows"):
        Refinement(found)
    both: dict[str, Any] = {"axes": "tzyx", "channel": 0, "nuclei": 0}
    cells = ssp.segment_compartments(boxes, card.name, card.name, min_size=30, **both)
    np.testing.assert_array_equal(cells.nuclei.labels, wanted)  # the same, frame by frame
    mixed = compartments_request(boxes, card.name, "mediar-starter", **both)
    with pytest.raises(ValueError, match=r"'p' 3D, 'mediar-starter' flat"):
        plan_compartments(mixed)


def test_boundaries_in_3d_part_what_touches(
    cache: Path, boxes: NDArray[np.uint16], tmp_path: Path
) -> None:
    after = [{"id": "sigmoid"}]
    card = _imported(Rims(), tmp_path / "v.zip", "foreground+boundary", after, "zyx")
    found = ssp.segment(boxes[1], card.name, axes="zyx", min_size=30)
    assert found.num_objects == 3
    left, right = found.labels[8, 40, 25], found.labels[8, 40, 45]
    assert 0 not in (left, right)
    assert left != right
    bright = boxes[1] > 100
    bright[5, 15:17, 15:17] = True
    np.testing.assert_array_equal(found.labels > 0, bright)


def test_a_stack_is_seen_at_the_voxel_size_of_the_package(
    cache: Path, boxes: NDArray[np.uint16], tmp_path: Path
) -> None:
    scale = {"scale": 0.5, "unit": "micrometer"}
    network = Steep(20, -5, 3)
    card = _imported(network, tmp_path / "v.zip", "p", [{"id": "sigmoid"}], "zyx", scale)
    assert card.voxel_size == (0.5, 0.5, 0.5)
    request = ssp.SegmentRequest(boxes[0], card.name, axes="zyx", voxel_size=(1.0, 0.5, 0.5))
    plan = plan_segmentation(request)
    assert plan.volume == (28, 50, 60)
    assert "in 3D on 60 × 50 × 28 voxels" in plan.summary
    found = ssp.segment(boxes[0], card.name, axes="zyx", voxel_size=(1.0, 0.5, 0.5), min_size=30)
    assert found.labels.shape == boxes[0].shape
    assert found.num_objects == 2
    unknown = plan_segmentation(ssp.SegmentRequest(boxes[0], card.name, axes="zyx"))
    assert "taken to be the model's, 0.5 × 0.5 × 0.5 µm" in unknown.warnings[0]
    for options, words in (
        ({"plane": (0, 3)}, "finds objects in whole stacks"),
        ({"diameter": 12.0}, "a diameter cannot be used"),
    ):
        with pytest.raises(ValueError, match=words):
            ssp.segment(boxes[0], card.name, axes="zyx", **options)
    with pytest.raises(ValueError, match="finds objects in whole stacks"):
        ssp.segment(boxes[0, 0], card.name)


def test_boundaries_part_what_touches() -> None:
    inside, boundary = np.zeros((2, 12, 30), np.float32)
    inside[2:10, 2:28] = 0.9
    boundary[:, 14:16] = 0.9
    found = label_objects(inside > 0.5, boundary, 0.5, 4)
    assert found.max() == 2
    assert set(np.unique(found[2:10, 2:14])) == {1}
    assert (found > 0).sum() == (inside > 0.5).sum()
    assert label_objects(inside > 0.5, None, 0.5, 4).max() == 1
    assert label_objects(inside > 0.5, None, 0.5, 1000).max() == 0


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
