"""A result made again from its provenance: the same, bit for bit."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

import napari_ssp as ssp
from napari_ssp.cli import main
from napari_ssp.progress import run
from napari_ssp.registry import ModelCard, find_card, load_model, save_model
from napari_ssp.service import as_command, as_script, request_of
from napari_ssp.service.models import ModelCache
from napari_ssp.service.pipelines import steps_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.service import Segmentation


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "two words.tif"
    y, x = np.mgrid[:90, :110]
    discs = [(y - b) ** 2 + (x - a) ** 2 < 60 for b in (20, 45, 72) for a in (18, 52, 88)]
    noise = np.random.default_rng(0).normal(0, 400, y.shape)
    image = (1000 + 9000 * np.any(discs, axis=0) + noise).clip(0).astype(np.uint16)
    tifffile.imwrite(path, image)
    return path


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "stack.tif"
    image = np.random.default_rng(1).integers(0, 60_000, (18, 40, 44)).astype(np.uint16)
    tifffile.imwrite(path, image, imagej=True, metadata={"axes": "ZYX"})
    return path


@pytest.fixture(scope="module")
def starter() -> Path:
    """Folder of a model that finds cells; an untrained one finds none to compare."""
    return find_card("mediar-starter").weights.parent


def _segment(image: Any, model: Path, **options: Any) -> Segmentation:
    result = ssp.segment(image, str(model), **options)
    assert result.num_objects > 2
    return result


def _as_json(provenance: dict[str, Any]) -> dict[str, Any]:
    """As it comes back from a layer that was saved."""
    loaded: dict[str, Any] = json.loads(json.dumps(provenance))
    return loaded


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tta": True, "overlap": 0.3, "device": "cpu"},
        {"voxel_size": (1.0, 0.5, 0.5)},
        {"region": (-3, 80, 5, 100), "plane": (0, 0), "hole_size": 40},
    ],
    ids=["plain", "mirrored", "sized", "part"],
)
def test_the_command_gives_the_same_labels(
    file: Path, starter: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    result = _segment(file, starter, **options)
    command = as_command(_as_json(result.provenance), output=tmp_path / "out")
    words = shlex.split(command)
    assert words[:3] == ["napari-ssp", "segment", str(file)]
    done = CliRunner().invoke(main, words[1:])
    assert done.exit_code == 0, done.output
    again = tifffile.imread(tmp_path / "out" / "two words_label.tiff")
    np.testing.assert_array_equal(again, result.labels)


def test_the_request_gives_the_same_labels(file: Path, starter: Path) -> None:
    first = _segment(file, starter, region=(10, 80, 5, 100))
    request = request_of(_as_json(first.provenance))
    again = run(steps_of(request, ModelCache())())
    np.testing.assert_array_equal(again.labels, first.labels)
    np.testing.assert_array_equal(again.flows, first.flows)
    assert again.provenance["model"] == first.provenance["model"]


def test_the_script_gives_the_same_labels(file: Path, starter: Path) -> None:
    first = _segment(file, starter, region=(10, 80, 5, 100))
    record = _as_json(first.provenance)
    room: dict[str, Any] = {}
    exec(as_script(record), room)
    np.testing.assert_array_equal(room["result"].labels, first.labels)


def test_predictions_come_back_too(stack: Path, tiny_structures: Path, tmp_path: Path) -> None:
    service = ssp.ModelService()
    request = ssp.PredictRequest(
        stack,
        ("nucleoli", "dna"),
        str(tiny_structures),
        overlap=0.25,
        device="cpu",
        z_range=(1, 17),
        region=(2, 40, 0, 44),
    )
    first = service.submit(request).result(120)
    service.close()
    record = _as_json(first.provenance)
    words = shlex.split(as_command(record, output=tmp_path / "out"))
    assert words[words.index("--task") + 1] == "nucleoli"
    done = CliRunner().invoke(main, words[1:])
    assert done.exit_code == 0, done.output
    again = tifffile.imread(tmp_path / "out" / "stack_prediction.ome.tif")
    planes = np.moveaxis(again, 1, 0) if again.shape[0] == 16 else again
    np.testing.assert_array_equal(planes, np.stack([first.images[t] for t in request.tasks]))
    room: dict[str, Any] = {}
    exec(as_script(record), room)
    np.testing.assert_array_equal(room["result"]["dna"], first.images["dna"])


def test_an_image_in_memory_needs_its_file(file: Path, starter: Path, tmp_path: Path) -> None:
    result = _segment(tifffile.imread(file), starter)
    with pytest.raises(ValueError, match="'array', which was in memory"):
        as_command(result.provenance)
    again = run(steps_of(request_of(result.provenance, file), ModelCache())())
    np.testing.assert_array_equal(again.labels, result.labels)
    assert str(file) in shlex.split(as_command(result.provenance, file))


def _changed(model: Path, folder: Path) -> Path:
    """Copy of a model with other weights."""
    network = load_model(model)
    network.state_dict()["cellprob_head.3.bias"].add_(0.1)
    return save_model(network, ModelCard.read(model), folder).weights.parent


def test_the_model_must_be_the_same(
    file: Path, starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    folder = _changed(starter, tmp_path / "model")
    record = _segment(file, folder).provenance
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError, match="There is no model"):
        request_of(record)
    # The same weights under another name are as good.
    kept = _changed(starter, tmp_path / "cache" / "models" / "kept")
    replace(ModelCard.read(kept), name="kept").write(kept)
    assert request_of(record).model == "kept"
    shutil.rmtree(kept)
    shutil.copytree(starter, folder)
    with pytest.raises(ValueError, match="has changed since"):
        request_of(record)


def test_what_cannot_be_repeated(file: Path, starter: Path) -> None:
    with pytest.raises(ValueError, match="does not say how it was made"):
        request_of({})
    record = _as_json(_segment(file, starter).provenance)
    record["request"]["quantum"] = True
    with pytest.raises(ValueError, match=r"another version of napari-ssp.*quantum"):
        as_command(record)
