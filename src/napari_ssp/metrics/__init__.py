"""Scores against the truth: of label images (objects) and of predicted structures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from napari_ssp.metrics.agreement import (
        Category,
        ObjectComparison,
        PanopticQuality,
        compare_objects,
        panoptic_quality,
    )
    from napari_ssp.metrics.objects import (
        MatchCounts,
        average_precision,
        challenge_counts,
        f1_score,
        match_counts,
    )
    from napari_ssp.metrics.structures import STRUCTURE_METRICS, structure_metrics

__all__ = [
    "STRUCTURE_METRICS",
    "Category",
    "MatchCounts",
    "ObjectComparison",
    "PanopticQuality",
    "average_precision",
    "challenge_counts",
    "compare_objects",
    "f1_score",
    "match_counts",
    "panoptic_quality",
    "structure_metrics",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "agreement": [
            "Category",
            "ObjectComparison",
            "PanopticQuality",
            "compare_objects",
            "panoptic_quality",
        ],
        "objects": [
            "MatchCounts",
            "average_precision",
            "challenge_counts",
            "f1_score",
            "match_counts",
        ],
        "structures": ["STRUCTURE_METRICS", "structure_metrics"],
    },
)
