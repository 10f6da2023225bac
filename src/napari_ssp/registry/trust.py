"""Programs that the user has agreed to run, by their sha256."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_ssp.registry.user_lists import change_list, read_list

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = "trusted.json"
_on_trial: list[str] = []


class UntrustedError(PermissionError):
    """A file holds a program, and nobody has agreed to run it."""


def is_trusted(sha256: str) -> bool:
    """Whether the user on this computer has agreed to run a file."""
    return sha256 in _on_trial or sha256 in read_list(_FILE)


def trust(sha256: str) -> None:
    """Note that the user agreed to run exactly this file."""
    change_list(_FILE, lambda known: sorted({*known, sha256}))


@contextmanager
def on_trial(sha256: str) -> Iterator[None]:
    """Run a file that was agreed to in this process alone, until it has shown what it is."""
    _on_trial.append(sha256)
    try:
        yield
    finally:
        _on_trial.remove(sha256)
