"""The kept files, laid out so that they can be read and changed."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parent / "files"
HERE = b"@HERE@"
_TEXTS = {".json", ".csv"}

LayOut = Callable[..., Path]


@pytest.fixture
def lay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LayOut:
    """Copy parts of the files: unpacked, paths as here, the copy as working directory and cache."""

    def copy(*parts: str) -> Path:
        for part in parts:
            for path in sorted((FILES / part).rglob("*")):
                _copy(path, tmp_path)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
        return tmp_path

    return copy


def _copy(path: Path, root: Path) -> None:
    target = root / path.relative_to(FILES)
    if path.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    data = path.read_bytes()
    if path.suffix == ".xz":
        target, data = target.with_suffix(""), lzma.decompress(data)
    if path.suffix in _TEXTS:
        data = data.replace(HERE, str(root).encode())
    target.write_bytes(data)
