"""Run any callable over arrays of any size: normalise, cut into tiles, blend, undo."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ssp.engine.normalise import normalise

_HOMES = {
    "normalise": "normalise",
}

__all__ = ["normalise"]


def __getattr__(name: str) -> Any:
    """Load a part on first use, so that geometry and grey levels never wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
