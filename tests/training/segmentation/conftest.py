"""The recipe of the starter models of cells, ``scripts/starter_cells``, for its tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def recipe() -> Path:
    """Folder of the recipe."""
    return Path(__file__).resolve().parents[3] / "scripts" / "starter_cells"


@pytest.fixture
def scripts(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import a module of the recipe by name; none stays imported."""
    monkeypatch.syspath_prepend(str(recipe))
    yield __import__
    for file in recipe.glob("[!_]*.py"):
        sys.modules.pop(file.stem, None)
