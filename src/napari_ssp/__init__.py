"""Interactive microscopy prediction: cell segmentation and fluorescent structures.

Importing this package loads neither torch nor Qt; its names load what they need on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service import (
        ModelService,
        PredictRequest,
        Segmentation,
        SegmentRequest,
        StructurePrediction,
        TrainRequest,
        predict_structures,
        segment,
    )

__version__ = "0.1.0"

__all__ = [
    "MicroscopyImage",
    "ModelService",
    "PredictRequest",
    "SegmentRequest",
    "Segmentation",
    "StructurePrediction",
    "TrainRequest",
    "__version__",
    "predict_structures",
    "segment",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "image": ["MicroscopyImage"],
        "service": [
            "ModelService",
            "PredictRequest",
            "Segmentation",
            "SegmentRequest",
            "StructurePrediction",
            "TrainRequest",
            "predict_structures",
            "segment",
        ],
    },
)
