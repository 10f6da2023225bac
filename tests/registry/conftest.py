"""A server to download from, and a cache of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from download_site import Site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folder of the user's models and downloads."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(folder))
    return folder
