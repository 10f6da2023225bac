"""The folder of a result that is not finished: its pieces, and the ledger of them."""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import atomic_path, write_text
from napari_ssp.io.scene import UNFINISHED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: The step that makes nothing, and only finds out whether a worker sees the files.
LOOK = "look"
#: What a damaged entry or piece leads to; a compressed chunk to the last.
DAMAGE = (OSError, ValueError, KeyError, TypeError, RuntimeError)

_DESCRIPTION = "run.json"


def unfinished_folder(target: Path) -> Path:
    """Folder beside a result in which it is made."""
    return target.with_name(target.name + UNFINISHED)


class Unfinished:
    """Pieces of a result by step and key, each with an entry in the ledger.

    A piece counts as finished when its entry is there, which is written after it; both appear as a
    whole or not at all. So whatever ends a worker costs what it was in the midst of.

    ::

        NAME.unfinished/
          run.json            what is done, with which model
          ledger/STEP/KEY.json   digest of a piece, and facts
          STEP/KEY.npy        the piece
          labels.zarr         the result; it moves to its final name when it is complete

    Parameters
    ----------
    folder : pathlib.Path
        Seen by all workers under this name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def labels(self) -> Path:
        """Zarr of the result."""
        return self.folder / "labels.zarr"

    def begin(self, description: dict[str, Any]) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True)
        write_text(self.folder / _DESCRIPTION, json.dumps(description, indent=2))

    def describe(self) -> dict[str, Any]:
        """Read what is done.

        Raises
        ------
        OSError, ValueError
            When it is not there, or damaged.
        """
        found: dict[str, Any] = json.loads((self.folder / _DESCRIPTION).read_text("utf-8"))
        return found

    def save(self, step: str, key: str, piece: NDArray[Any], **facts: Any) -> None:
        """Write a piece, and then its entry.

        Raises
        ------
        OSError
            When the disk is full, or the folder is gone.
        """
        path = self._piece(step, key)
        path.parent.mkdir(exist_ok=True)
        piece = np.ascontiguousarray(piece)
        with atomic_path(path, overwrite=True) as temporary, temporary.open("wb") as file:
            # Not numpy.save, whose error does not say that the disk is full.
            header = np.lib.format.header_data_from_array_1_0(piece)
            np.lib.format.write_array_header_1_0(file, header)
            file.write(piece.data)
        self.note(step, key, piece, **facts)

    def load(self, step: str, key: str) -> NDArray[Any]:
        """Map a piece into memory."""
        found: NDArray[Any] = np.load(self._piece(step, key), mmap_mode="r", allow_pickle=False)
        return found

    def note(self, step: str, key: str, piece: NDArray[Any], **facts: Any) -> None:
        """Write the entry of a piece that is kept elsewhere."""
        path = self._entry(step, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"sha256": digest(piece), "facts": facts})
        # One number that flipped would go through all that follows.
        seal = sha256(text.encode()).hexdigest()
        write_text(path, json.dumps({"entry": text, "seal": seal}))

    def facts(self, step: str, key: str) -> dict[str, Any]:
        """Facts of a finished piece.

        Raises
        ------
        OSError, ValueError, KeyError, TypeError
            When its entry is not there, or damaged.
        """
        facts: dict[str, Any] = self._read_entry(step, key)["facts"]
        return facts

    def is_whole(self, step: str, key: str, piece: NDArray[Any]) -> bool:
        """Whether a piece is what its entry says."""
        expected: str = self._read_entry(step, key)["sha256"]
        return digest(piece) == expected

    def finished(self, step: str) -> set[str]:
        """Keys of the pieces of a step that have an entry."""
        return {path.stem for path in (self.folder / "ledger" / step).glob("[!.]*.json")}

    def forget(self, step: str, key: str) -> None:
        """Take a piece out of the ledger."""
        with suppress(FileNotFoundError):
            self._entry(step, key).unlink()

    def _piece(self, step: str, key: str) -> Path:
        return self.folder / step / f"{key}.npy"

    def _entry(self, step: str, key: str) -> Path:
        return self.folder / "ledger" / step / f"{key}.json"

    def _read_entry(self, step: str, key: str) -> dict[str, Any]:
        content = json.loads(self._entry(step, key).read_text("utf-8"))
        text: str = content["entry"]
        if sha256(text.encode()).hexdigest() != content["seal"]:
            raise ValueError(f"The entry of {step} {key} is damaged.")
        entry: dict[str, Any] = json.loads(text)
        return entry


def digest(piece: NDArray[Any]) -> str:
    """Sha256 of an array: type, shape and values."""
    piece = np.ascontiguousarray(piece)
    found = sha256(f"{piece.dtype.str}{piece.shape}".encode())
    found.update(piece.data)
    return found.hexdigest()
