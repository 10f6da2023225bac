"""Scores against the truth: of label images (objects) and of predicted structures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
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
    "MatchCounts",
    "average_precision",
    "challenge_counts",
    "f1_score",
    "match_counts",
    "structure_metrics",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
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
