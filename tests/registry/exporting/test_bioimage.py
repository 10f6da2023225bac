"""BioImage.IO packages, tested by that project's own tool where it is installed."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_ssp.progress import run
from napari_ssp.registry import export_bioimage_steps, import_checkpoint, load_model

if TYPE_CHECKING:
    from pathlib import Path


def _package(model: Path | str, path: Path, task: str | None = None) -> tuple[Path, dict[str, Any]]:
    run(export_bioimage_steps(model, path, task))
    with zipfile.ZipFile(path) as archive:
        return path, json.loads(archive.read("rdf.yaml"))


def _script(path: Path, folder: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        archive.extract("weights.pt", folder)
    return torch.jit.load(folder / "weights.pt")


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
def test_a_segmentation_model_computes_the_same(tiny_model: Path, tmp_path: Path) -> None:
    path, content = _package(tiny_model, tmp_path / "tiny.zip")
    assert content["outputs"][0]["axes"][1]["channel_names"] == ["flow_y", "flow_x", "cell_logit"]
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.zip"]
    x = torch.rand(2, 3, 64, 96)  # another size than the traced one
    with torch.inference_mode():
        torch.testing.assert_close(_script(path, tmp_path)(x), load_model(tiny_model)(x))


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
def test_a_structure_is_exported_merged(tiny_structures: Path, tmp_path: Path) -> None:
    path, content = _package(tiny_structures, tmp_path / "s.zip", "nucleoli")
    assert content["name"] == "tiny-structures nucleoli"
    assert [axis.get("scale") for axis in content["inputs"][0]["axes"]][2:] == [0.29] * 3
    x = torch.rand(1, 1, 32, 16, 48)
    with torch.inference_mode():
        wanted = load_model(tiny_structures)(x, torch.tensor([2]))
        torch.testing.assert_close(_script(path, tmp_path)(x), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
def test_small_numbers_are_to_be_computed_more_exactly(tmp_path: Path) -> None:
    """The format's own rule: no more than a hundredth of the largest number."""
    path, content = _package("repmode-starter", tmp_path / "s.zip", "dapi")
    (stated,) = content["config"]["bioimageio"]["reproducibility_tolerance"]
    with zipfile.ZipFile(path) as archive:
        largest = np.load(archive.open("test_output.npy")).max()
    assert 0 < largest < 0.1
    assert 0 < stated["absolute_tolerance"] <= 0.01 * largest


def test_packages_and_scripts_are_told_apart_on_import(
    tiny_model: Path, cache: Path, tmp_path: Path
) -> None:
    path, _ = _package(tiny_model, tmp_path / "m.zip")
    with pytest.raises(PermissionError, match=r"holds a program \(TorchScript\)"):
        import_checkpoint(path)
    with zipfile.ZipFile(path) as archive:
        archive.extract("weights.pt", tmp_path)
    with pytest.raises(ValueError, match="holds a network as a whole"):
        import_checkpoint(tmp_path / "weights.pt")


def test_the_structure_must_be_chosen(tiny_structures: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose one: 'tiny-structures' has dna, lamin_b1"):
        run(export_bioimage_steps(tiny_structures, tmp_path / "x.zip"))
    with pytest.raises(ValueError, match="'golgi' is none of them"):
        run(export_bioimage_steps(tiny_structures, tmp_path / "x.zip", "golgi"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["cells", "structures"])
@pytest.mark.filterwarnings("ignore")
def test_the_projects_own_test_passes(
    tiny_model: Path, tiny_structures: Path, tmp_path: Path, kind: str
) -> None:
    core = pytest.importorskip("bioimageio.core")
    model, task = (tiny_model, None) if kind == "cells" else (tiny_structures, "dna")
    path, _ = _package(model, tmp_path / "m.zip", task)
    summary = core.test_model(path)
    assert summary.status == "passed", summary.format()
    with zipfile.ZipFile(path) as archive:
        assert np.load(archive.open("test_output.npy")).dtype == np.float32
