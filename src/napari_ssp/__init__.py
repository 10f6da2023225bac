"""Interactive microscopy prediction: cell segmentation and fluorescent structures.

Importing this package loads neither torch nor Qt; its names load what they need on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ssp.api import segment
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service import ModelService, Segmentation, SegmentRequest, TrainRequest

__version__ = "0.1.0"

__all__ = [
    "MicroscopyImage",
    "ModelService",
    "SegmentRequest",
    "Segmentation",
    "TrainRequest",
    "__version__",
    "segment",
]

_HOME = {
    "MicroscopyImage": "napari_ssp.image",
    "ModelService": "napari_ssp.service",
    "SegmentRequest": "napari_ssp.service",
    "Segmentation": "napari_ssp.service",
    "TrainRequest": "napari_ssp.service",
    "segment": "napari_ssp.api",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
