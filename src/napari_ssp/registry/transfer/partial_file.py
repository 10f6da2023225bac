"""A download that is under way, on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class PartialFile:
    """A file that is not complete, and what the server said of it.

    It grows as ``NAME.part`` beside its final name. The version and the length that the server gave
    are kept in ``NAME.part.json``, so that a later run asks for the rest of the same file only.

    Parameters
    ----------
    path : pathlib.Path
        The final name.
    url : str
        Where it comes from; what was loaded from elsewhere is dropped.
    total : int or None
        Length of the whole file, where it is known.

    Attributes
    ----------
    file : pathlib.Path
        What is there so far.
    total : int or None
        As above, or as the server said.
    was_resumed : bool
        Whether it was put together from several answers.
    """

    def __init__(self, path: Path, url: str, total: int | None = None) -> None:
        self.file = path.with_name(path.name + ".part")
        self.total = self._expected = total
        self.was_resumed = False
        self._note = path.with_name(path.name + ".part.json")
        self._url, self._version = url, ""
        self._recall()

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.file.stat().st_size if self.file.exists() else 0

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are there, as far as their number is known."""
        return self.total is not None and self.size == self.total and self.file.exists()

    def headers(self) -> dict[str, str]:
        """Ask for the rest, provided that the file is still the same."""
        plain = {"Accept-Encoding": "identity"}
        if not self.size:
            return plain
        condition = {"If-Range": self._version} if self._version else {}
        return plain | {"Range": f"bytes={self.size}-"} | condition

    def note(self, version: str, total: int | None) -> None:
        """Keep what the server said."""
        self._version, self.total = version, total
        content = {"url": self._url, "version": version, "total": total}
        self._note.write_text(json.dumps(content), encoding="utf-8")

    def remove(self) -> None:
        """Forget the file."""
        self.file.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self.was_resumed, self._version, self.total = False, "", self._expected

    def _recall(self) -> None:
        """Take up what an earlier run left, where it is of the same file."""
        try:
            content = json.loads(self._note.read_text(encoding="utf-8"))
            url, total = content["url"], content["total"]
            if url != self._url or self._expected not in (None, total):
                raise ValueError("another file")
            self._version, self.total = str(content["version"]), total
        except (OSError, ValueError, KeyError, TypeError):
            self.remove()
