"""The manifest is valid, and every installation carries it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from npe2 import PluginManifest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution("napari-ssp")


def test_every_command_can_be_imported(manifest: PluginManifest) -> None:
    manifest.validate_imports()
    assert manifest.name == "napari-ssp"


def test_readers_writers_widgets_and_samples_are_offered(manifest: PluginManifest) -> None:
    offers = manifest.contributions
    assert {"*.tif", "*.tiff"} <= set(offers.readers[0].filename_patterns)
    assert {kind for writer in offers.writers for kind in writer.layer_types} == {"image", "labels"}
    assert "Segment" in {widget.display_name for widget in offers.widgets}
    assert "napari/layers/segment" in offers.menus
    assert len(offers.sample_data) >= 3


def test_commands_are_short_and_together_in_the_palette(manifest: PluginManifest) -> None:
    for command in manifest.contributions.commands:
        assert command.category == "Cells and structures", command.id
        assert 0 < len(command.short_title) <= 20, command.id
    assert manifest.categories and manifest.icon == "napari_ssp:icon.svg"


def test_the_manifest_shows_at_the_top() -> None:
    inside = ROOT / "src" / "napari_ssp" / "napari.yaml"
    assert (ROOT / "napari.yaml").read_bytes() == inside.read_bytes()


def test_the_wheel_carries_manifest_model_and_samples(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(tmp_path)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        metadata = next(name for name in names if name.endswith("dist-info/METADATA"))
        assert "](docs/" not in wheel.read(metadata).decode()  # leads nowhere on a package page
    starters = "napari_ssp/registry/starter"
    assert {
        "napari_ssp/napari.yaml",
        "napari_ssp/icon.svg",
        "napari_ssp/py.typed",
        "napari_ssp/io/sample_images/NOTICE.md",
    } <= names
    for model in ("mediar-starter", "repmode-starter", "critic-starter"):
        files = {f"{starters}/{model}/{file}" for file in ("card.json", "weights.safetensors")}
        assert files <= names
    assert not [name for name in names if name.endswith((".nbc", ".nbi"))]
