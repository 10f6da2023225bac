"""Scores of labels against the truth, and what became of each object."""

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

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: In the metadata of layers that show a comparison: they hold no objects.
COMPARISON_KEY = "napari_ssp_comparison"
THRESHOLDS = (0.5, 0.75, 0.9)

#: Colours that people with any colour vision can tell apart (Okabe and Ito, 2008).
COLOURS = {
    Category.MATCHED: "#009e73",
    Category.MISSED: "#d55e00",
    Category.EXTRA: "#56b4e9",
    Category.SPLIT: "#f0e442",
    Category.MERGED: "#cc79a7",
}


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
        Uint8, shape of the prediction's layer: a `Category` for each pixel.
    """

    scores: tuple[tuple[str, str], ...]
    fates: dict[Category, str]
    image: NDArray[np.uint8]


def compare_steps(
    truth: NDArray[Any], prediction: NDArray[Any], shape: tuple[int, ...]
) -> Steps[Comparison]:
    """Compare two label images of the same shape.

    Parameters
    ----------
    truth, prediction : numpy.ndarray
        Label images.
    shape : tuple of int
        Shape of the image to return, which may have further axes of length 1.
    """
    yield Progress("matching objects", 0, 3)
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
    return Comparison(scores, _fates(found), found.image.reshape(shape))


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
