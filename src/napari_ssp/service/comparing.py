"""Comparison of labels with the truth: scores, and what became of each object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.metrics import (
    Category,
    ObjectComparison,
    average_precision,
    compare_objects,
    panoptic_quality,
)
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.requests import Request

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.image import MicroscopyImage

THRESHOLDS = (0.5, 0.75, 0.9)


@dataclass(frozen=True, eq=False)
class Comparison:
    """How labels agree with the truth.

    Attributes
    ----------
    scores : tuple of (str, str)
        Names and values, for a table.
    fates : dict of Category to str
        How many objects each fate met, in words.
    image : numpy.ndarray
        Uint8, shape of the prediction: a `Category` for each pixel.
    """

    scores: tuple[tuple[str, str], ...]
    fates: dict[Category, str]
    image: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class CompareRequest(Request[Comparison]):
    """Compare a label image with the truth.

    Attributes
    ----------
    truth, prediction : MicroscopyImage
        Label images of the same region, read when the work begins; axes of length 1 may differ.
    """

    truth: MicroscopyImage
    prediction: MicroscopyImage


def compare_steps(request: CompareRequest) -> Steps[Comparison]:
    """Compare two label images.

    Yields
    ------
    Progress
        Before each score.
    """
    yield Progress("matching objects", 0, 3)
    truth, prediction = _read(request.truth), _read(request.prediction)
    found = compare_objects(truth, prediction)
    yield Progress("average precision", 1, 3)
    precision = average_precision(truth, prediction, THRESHOLDS)
    yield Progress("panoptic quality", 2, 3)
    panoptic = panoptic_quality(truth, prediction)
    values = {
        f"Average precision, IoU {t:g}": float(p)
        for t, p in zip(THRESHOLDS, np.atleast_1d(precision), strict=True)
    }
    values |= {"F1, IoU 0.5": found.counts.f1, "Panoptic quality": panoptic.quality}
    scores = tuple((name, _number(value)) for name, value in values.items())
    return Comparison(scores, _fates(found), found.image.reshape(request.prediction.shape))


def _read(labels: MicroscopyImage) -> NDArray[Any]:
    """Labels without axes of length 1 other than y and x."""
    lengths = labels.sizes.items()
    return np.asarray(labels.data).reshape([n for axis, n in lengths if axis in "yx" or n > 1])


def _fates(found: ObjectComparison) -> dict[Category, str]:
    true, predicted = len(found.truth_labels), len(found.prediction_labels)
    matched, missed = found.count(Category.MATCHED)[0], found.count(Category.MISSED)[0]
    extra = found.count(Category.EXTRA)[1]
    split, merged = found.count(Category.SPLIT), found.count(Category.MERGED)
    return {
        Category.MATCHED: f"{matched} of {true} true objects",
        Category.MISSED: f"{missed} of {true} true objects",
        Category.EXTRA: f"{extra} of {predicted} predicted objects",
        Category.SPLIT: f"{split[0]} true, {split[1]} predicted pieces",
        Category.MERGED: f"{merged[0]} true, in {merged[1]} predicted",
    }


def _number(value: float) -> str:
    return "– (no objects)" if np.isnan(value) else f"{value:.3f}"
