"""Who imports whom, read from the syntax tree; and what a plain import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "napari_ssp"

ALLOWED = {
    "widgets": {"service", "registry", "io", "measure", "metrics", "image", "progress"},
    "cli": {"service", "registry", "io", "measure", "metrics", "image", "progress"},
    "service": {
        "training",
        "registry",
        "networks",
        "engine",
        "flows",
        "io",
        "measure",
        "metrics",
        "image",
        "progress",
    },
    "training": {"networks", "engine", "flows", "registry", "metrics", "image", "progress"},
    # Downloads are long work, and long work yields Progress.
    "registry": {"networks", "progress"},
    "engine": {"image", "progress"},
    "flows": {"image", "progress"},
    "io": {"image", "progress"},
    "measure": {"image", "progress"},
    "metrics": {"image", "progress"},
    "networks": set(),
    "image": set(),
    "progress": set(),
    "__init__": {"image", "service"},
}
NETWORK_LIBRARIES = {"torch", "monai", "segmentation_models_pytorch"}
VIEWER_LIBRARIES = {"qtpy", "napari", "magicgui", "superqt", "PyQt6", "PySide6"}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} uses a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


SOURCES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_import_only_what_they_may(path: Path) -> None:
    room = _room(path)
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] != "napari_ssp" or len(parts) < 2 or parts[1] == "__version__":
            continue
        assert parts[1] in ALLOWED[room] | {room}, f"{room} must not import {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_widgets_know_the_viewer(path: Path) -> None:
    if _room(path) != "widgets":
        assert not VIEWER_LIBRARIES & {name.split(".")[0] for name in _imports(path)}


def test_networks_know_only_their_libraries() -> None:
    standard = sys.stdlib_module_names
    for path in sorted((PACKAGE / "networks").glob("*.py")):
        top = {name.split(".")[0] for name in _imports(path)} - set(standard) - {"napari_ssp"}
        assert top <= NETWORK_LIBRARIES, path.name


def test_no_file_is_called_utils() -> None:
    assert not [path for path in SOURCES if "util" in path.stem]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("napari_ssp", {"torch", "qtpy", "napari", "magicgui"}),
        ("napari_ssp.service", {"torch", "qtpy", "napari", "magicgui"}),
        ("napari_ssp.registry", {"torch"}),
        ("napari_ssp.cli", {"torch", "qtpy", "napari"}),
    ],
)
def test_importing_stays_light(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print(' '.join(sorted({absent!r} & set(sys.modules))))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []


def test_nothing_is_loaded_unsafely() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert "weights_only=False" not in text, path.name
        if path.name != "cellpose_files.py":  # whose reader calls nothing that a file names
            assert "import pickle" not in text, path.name
        for call in text.split("torch.load(")[1:]:
            assert "weights_only=True" in call.split("\n\n")[0], path.name
