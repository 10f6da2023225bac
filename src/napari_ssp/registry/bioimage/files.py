"""The files of a BioImage.IO package, in an archive or a folder; nothing leads out of it."""

from __future__ import annotations

import re
import zipfile
import zlib
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from napari_ssp.progress import Progress, Steps
from napari_ssp.registry.archive_members import members

if TYPE_CHECKING:
    from typing import IO

#: One of them is in every package.
_DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml")
_LONGEST_TEXT = 2**20
_MOST_ENTRIES = 100_000
#: Weights are random numbers; what shrinks more was made to fill a disk.
_MOST_PACKED = 20
_CHUNK = 2**22


def is_bioimage(path: Path) -> bool:
    """Whether an archive or a folder is a package."""
    return bool(_description_name(path))


def _description_name(path: Path) -> str:
    if path.is_dir():
        return next((name for name in _DESCRIPTIONS if (path / name).is_file()), "")
    names = {item.filename for item in members(path)}
    return next((name for name in _DESCRIPTIONS if name in names), "")


@cache
def _loader() -> Any:
    """Safe loader that reads numbers as YAML 1.2 does: 1e-06, too."""
    import yaml

    loader = type("Loader", (yaml.SafeLoader,), {})
    number = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$")
    untyped: Any = loader
    untyped.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    return loader


def _written_out(node: Any, known: dict[int, int]) -> int:
    """Count a YAML node's entries, with those that it repeats; within itself it is endless."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = _MOST_ENTRIES + 1
    value = getattr(node, "value", "")
    parts: list[Any] = [] if isinstance(value, str) else list(value)
    nested = [part for pair in parts for part in (pair if isinstance(pair, tuple) else (pair,))]
    known[id(node)] = 1 + sum(_written_out(part, known) for part in nested)
    return known[id(node)]


class PackageFiles:
    """Reads files of a package by the names in its description.

    Parameters
    ----------
    path : pathlib.Path
        Archive or folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def description(self) -> dict[str, Any]:
        """Content of the description.

        Raises
        ------
        ValueError
            When it is no list of named entries.
        """
        import yaml

        try:
            text = self.read(_description_name(self.path), _LONGEST_TEXT)
            self._check_length(yaml.compose(text, _loader()))
            content = yaml.load(text, _loader())
        except (yaml.YAMLError, RecursionError) as error:
            raise ValueError(f"The description in {self.path.name} is damaged: {error}.") from error
        if not isinstance(content, dict):
            raise ValueError(f"The description in {self.path.name} holds no named entries.")
        return content

    def _check_length(self, node: Any) -> None:
        """Refuse entries that repeat each other until they fill the memory."""
        if _written_out(node, {}) > _MOST_ENTRIES:
            raise ValueError(
                f"The description in {self.path.name} would have more than {_MOST_ENTRIES} entries "
                "when it is written out, so it was refused."
            )

    def read(self, name: str, longest: int) -> bytes:
        """Content of a file.

        Raises
        ------
        ValueError
            When there is no such file in the package, or it is longer than it may be.
        """
        size = self._size(name)
        if size > longest:
            raise ValueError(
                f"'{name}' in {self.path.name} is {size} bytes long, so it was refused."
            )
        try:
            with self._open(name) as file:
                return file.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise self._damage(error) from error

    def extract(self, name: str, target: Path) -> Steps[None]:
        """Copy a file out of the package; errors as of `read`."""
        size, done = self._size(name), 0
        try:
            with self._open(name) as source, target.open("wb") as file:
                while done < size and (chunk := source.read(min(_CHUNK, size - done))):
                    file.write(chunk)
                    done += len(chunk)
                    yield Progress(f"unpacking {name}", done, size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise self._damage(error) from error

    def _damage(self, error: Exception) -> ValueError:
        return ValueError(f"{self.path.name} is damaged: {error}. Download or copy it again.")

    def _size(self, name: str) -> int:
        plain = PurePosixPath(name)
        if "://" in name:
            raise ValueError(
                f"{self.path.name} does not hold its files: '{name[:200]}' is an address. Download "
                "the whole package (.zip) from its page and import that."
            )
        if plain.is_absolute() or ".." in plain.parts or "\\" in name or ":" in name or not name:
            raise ValueError(f"{self.path.name} asks for the file '{name[:200]}': refused.")
        if self.path.is_dir():
            file = self.path / plain
            if not file.is_file() or not file.resolve().is_relative_to(self.path.resolve()):
                raise ValueError(f"{self.path.name} holds no file '{name[:200]}'.")
            return file.stat().st_size
        found = [item for item in members(self.path) if item.filename == str(plain)]
        if len(found) != 1:
            raise ValueError(f"{self.path.name} holds {len(found)} files '{name[:200]}', not one.")
        if found[0].file_size > _MOST_PACKED * max(found[0].compress_size, 1):
            raise ValueError(
                f"'{name}' in {self.path.name} would become {found[0].file_size} bytes when it is "
                f"unpacked, from {found[0].compress_size}: refused."
            )
        return found[0].file_size

    def _open(self, name: str) -> IO[bytes]:
        plain = str(PurePosixPath(name))
        if self.path.is_dir():
            return (self.path / plain).open("rb")
        return zipfile.ZipFile(self.path).open(plain)
