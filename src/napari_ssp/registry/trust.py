"""Programs that the user has agreed to run, by their sha256."""

from __future__ import annotations

from napari_ssp.registry.user_lists import change_list, read_list

_FILE = "trusted.json"


class UntrustedError(PermissionError):
    """A file holds a program, and nobody has agreed to run it."""


def is_trusted(sha256: str) -> bool:
    """Whether the user on this computer has agreed to run a file."""
    return sha256 in read_list(_FILE)


def trust(sha256: str) -> None:
    """Note that the user agreed to run exactly this file."""
    change_list(_FILE, lambda known: sorted({*known, sha256}))
