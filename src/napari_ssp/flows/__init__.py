"""Between instance labels and gradient flows, in both directions."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ssp.flows.diffusion import labels_to_flows
    from napari_ssp.flows.tracking import flows_to_labels

__all__ = ["flows_to_labels", "labels_to_flows"]

_HOME = {
    "labels_to_flows": "napari_ssp.flows.diffusion",
    "flows_to_labels": "napari_ssp.flows.tracking",
}


def __getattr__(name: str) -> Any:
    """Import on first use: the compiled kernels take a moment to load."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
