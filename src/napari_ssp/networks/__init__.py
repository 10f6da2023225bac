"""Network architectures, as plain torch modules that never download anything."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ssp.networks.mediar import MediarFormer
    from napari_ssp.networks.repmode import RepMode

__all__ = ["MediarFormer", "RepMode"]

_HOME = {
    "MediarFormer": "napari_ssp.networks.mediar",
    "RepMode": "napari_ssp.networks.repmode",
}


def __getattr__(name: str) -> Any:
    """Import a network when it is first used: torch and its families take seconds to load."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
