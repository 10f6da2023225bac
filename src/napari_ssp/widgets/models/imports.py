"""Models that wait to be imported, and what an import may have to ask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_ssp.registry import UntrustedError

if TYPE_CHECKING:
    from napari_ssp.service import ImportModelRequest


class Imports:
    """Line of imports; no widget."""

    def __init__(self) -> None:
        self._waiting: list[ImportModelRequest] = []
        self._current: ImportModelRequest | None = None

    def add(self, request: ImportModelRequest) -> None:
        """Put an import at the end of the line."""
        self._waiting.append(request)

    def next(self) -> ImportModelRequest | None:
        """Take the next import; None when none is left."""
        self._current = self._waiting.pop(0) if self._waiting else None
        return self._current

    def clear(self) -> None:
        """Forget all that waits."""
        self._waiting.clear()

    def lacks_name(self, error: BaseException | None) -> bool:
        """Whether an import failed because its name is taken."""
        return self._current is not None and isinstance(error, FileExistsError)

    def lacks_consent(self, error: BaseException | None) -> bool:
        """Whether an import failed because the user has to agree to a program."""
        return self._current is not None and isinstance(error, UntrustedError)

    def retry(self, **changes: Any) -> None:
        """Put the import that failed first in the line, changed."""
        if self._current is not None:
            self._waiting.insert(0, replace(self._current, **changes))

    @property
    def another_name(self) -> str:
        """A name to suggest when the first one is taken."""
        if self._current is None:
            return ""
        return f"{self._current.name or self._current.path.stem}-2"


def read_dropped_paths(data: Any) -> list[Path]:
    """Files and folders of this computer that a drag holds."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
