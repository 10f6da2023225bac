"""Comparison of a review with the truth: calibration of pixels, errors of objects and of planes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.io.label_images import check_label_header
from napari_ssp.labels import explain_shapes, whole_numbers
from napari_ssp.metrics import (
    ReliabilityTable,
    error_maps,
    object_errors,
    panoptic_quality,
    pearson,
    reliability_table,
    roc_auc,
    spearman,
)
from napari_ssp.place import PLACES, cut_like
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.requests import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service.review.requests import Review

    Errors = NDArray[np.float64]

#: IoU below which an object is wrong.
FOUND = 0.5


@dataclass(frozen=True, eq=False)
class ErrorPairs:
    """Errors of objects, or of images, as predicted and as they are.

    Attributes
    ----------
    predicted, true : numpy.ndarray
        Float64 (N,), from 0 to 1.
    """

    predicted: Errors
    true: Errors

    def __add__(self, other: ErrorPairs) -> ErrorPairs:
        joined = (
            np.concatenate(pair)
            for pair in ((self.predicted, other.predicted), (self.true, other.true))
        )
        return ErrorPairs(*joined)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Which of the objects reach an IoU of 0.5 with no true one."""
        return np.asarray(self.true > 1 - FOUND)

    def scores(self) -> dict[str, float]:
        """How the two go together: rank and linear correlation, mean absolute difference."""
        gaps = np.abs(self.predicted - self.true)
        return {
            "spearman": spearman(self.predicted, self.true),
            "pearson": pearson(self.predicted, self.true),
            "mean_absolute_difference": float(gaps.mean()) if gaps.size else float("nan"),
        }


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the truth says of a review, or of several together.

    Attributes
    ----------
    pixels : ReliabilityTable
        How often pixels are wrong that were given a probability of it.
    objects : ErrorPairs
        1 - IoU with the best true object.
    images : ErrorPairs
        1 - panoptic quality of each plane; planes without any object are left out.
    true_error : numpy.ndarray
        Float64, that of each row of the review's table; nan where nobody annotated. Empty for
        several reviews.
    """

    pixels: ReliabilityTable
    objects: ErrorPairs
    images: ErrorPairs
    true_error: Errors = field(default_factory=lambda: np.zeros(0))

    def __add__(self, other: Judgement) -> Judgement:
        return Judgement(
            self.pixels + other.pixels, self.objects + other.objects, self.images + other.images
        )

    def scores(self) -> dict[str, Any]:
        """JSON-ready figures."""
        wrong = self.objects.wrong
        return {
            "pixels": {
                "expected_calibration_error": self.pixels.expected_calibration_error,
                "maximum_calibration_error": self.pixels.maximum_calibration_error,
                "counts": self.pixels.counts.tolist(),
                "confidence": self.pixels.confidence.tolist(),
                "frequency": self.pixels.frequency.tolist(),
            },
            "objects": {
                "count": int(wrong.size),
                "wrong": int(wrong.sum()),
                **self.objects.scores(),
                "auroc": roc_auc(self.objects.predicted, wrong),
            },
            "images": {"count": int(self.images.true.size), **self.images.scores()},
        }


@dataclass(frozen=True, eq=False)
class JudgeRequest(Request[Judgement]):
    """Compare a review with the truth.

    Attributes
    ----------
    review : Review
        Of the labels.
    labels, truth : MicroscopyImage
        Label images of one place, or the truth of the full image; -1 is not annotated.
    """

    review: Review
    labels: MicroscopyImage
    truth: MicroscopyImage


def judge_steps(request: JudgeRequest) -> Steps[Judgement]:
    """Compare a review with the truth, plane by plane.

    Yields
    ------
    Progress
        Before each plane.

    Raises
    ------
    TypeError
        If one holds no whole numbers.
    ValueError
        If they differ in size.
    """
    review, labels = request.review, request.labels
    truth = cut_like(replace(request.truth, rgb=False), labels)
    for role, one in (("truth", truth), ("labels", labels)):
        check_label_header(one, f"{role} '{one.name}'")
    _check_sizes(truth, labels)
    planes = list(labels.planes())
    map_of_plane = review.error_map.reshape(len(planes), *review.error_map.shape[-2:])
    true_error, found = np.full(review.num_objects, np.nan), []
    for index, place in enumerate(planes):
        yield Progress("comparing with the truth", index, len(planes))
        true, drawn = (_plane(one, place) for one in (truth, labels))
        rows = _rows(review, labels, place)
        true_error[rows] = _errors_of_rows(review.table["label"][rows], true, drawn)
        image = _pair_of_plane(float(review.image_errors[index]), true, drawn)
        found.append((_reliability(map_of_plane[index], true, drawn), image))
    pixels = reduce(add, (pair[0] for pair in found))
    images = reduce(add, (pair[1] for pair in found))
    known = ~np.isnan(true_error)
    objects = ErrorPairs(review.table["predicted_error"][known], true_error[known])
    return Judgement(pixels, objects, images, true_error)


def _plane(image: MicroscopyImage, place: Sequence[int]) -> NDArray[Any]:
    t, z = (i if image.sizes.get(a, 1) > 1 else 0 for a, i in zip("tz", place, strict=True))
    return whole_numbers(image.plane(t, z), f"label image '{image.name}'")


def _rows(review: Review, labels: MicroscopyImage, place: Sequence[int]) -> NDArray[np.intp]:
    """Rows of the table that are of a plane."""
    chosen = np.ones(review.num_objects, bool)
    for i, axis in enumerate("tz"):
        if axis in review.table:
            chosen &= review.table[axis] == place[i] + labels.origin[i]
    return np.flatnonzero(chosen)


def _errors_of_rows(wanted: NDArray[Any], true: NDArray[Any], drawn: NDArray[Any]) -> Errors:
    labels, errors = object_errors(true, drawn)
    if not labels.size:
        return np.full(wanted.size, np.nan)
    places = np.minimum(np.searchsorted(labels, wanted), labels.size - 1)
    return np.where(labels[places] == wanted, errors[places], np.nan)


def _pair_of_plane(predicted: float, true: NDArray[Any], drawn: NDArray[Any]) -> ErrorPairs:
    quality = panoptic_quality(true, drawn).quality
    if np.isnan(quality):
        return ErrorPairs(np.zeros(0), np.zeros(0))
    return ErrorPairs(np.array([predicted]), np.array([1.0 - quality]))


def _reliability(
    probability: NDArray[np.float32], true: NDArray[Any], drawn: NDArray[Any]
) -> ReliabilityTable:
    known = (true >= 0) & (drawn >= 0)
    wrong = np.asarray(error_maps(true, drawn).any(axis=0))
    return reliability_table(probability[known], wrong[known])


def _check_sizes(truth: MicroscopyImage, labels: MicroscopyImage) -> None:
    if any(truth.sizes.get(a, 1) != labels.sizes.get(a, 1) for a in PLACES):
        raise ValueError(
            f"The truth '{truth.name}' has shape {truth.shape} (axes '{truth.axes}') and the "
            f"labels '{labels.name}' {labels.shape} ('{labels.axes}'). Give two label images of "
            f"the same region.{explain_shapes(truth.shape, labels.shape)}"
        )
