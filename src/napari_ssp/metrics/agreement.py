"""Agreement of a segmentation with the truth: objects found, missed, split or merged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.metrics.objects import MatchCounts
from napari_ssp.metrics.overlap import Overlap, check_pair, check_threshold

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_ssp.metrics.overlap import Labels

    Flags = npt.NDArray[np.bool_]
    Values = npt.NDArray[np.uint8]

_MOSTLY = 0.5


class Category(IntEnum):
    """What became of an object, or of a pixel in `ObjectComparison.image`."""

    BACKGROUND = 0
    MATCHED = 1
    MISSED = 2
    EXTRA = 3
    SPLIT = 4
    MERGED = 5


@dataclass(frozen=True)
class PanopticQuality:
    """Panoptic quality and its two factors.

    Attributes
    ----------
    quality : float
        ``segmentation * recognition``, 0 to 1; nan when both images are empty.
    segmentation : float
        Mean IoU of the matched pairs; 0 without any, nan when both images are empty.
    recognition : float
        F1 of the objects; nan when both images are empty.
    """

    quality: float
    segmentation: float
    recognition: float


@dataclass(frozen=True, eq=False)
class ObjectComparison:
    """What became of each object of two label images.

    Attributes
    ----------
    truth_labels, prediction_labels : numpy.ndarray
        Ids of the objects, ascending.
    truth_categories, prediction_categories : numpy.ndarray
        uint8, a `Category` for each of them.
    truth_partners, prediction_partners : numpy.ndarray
        Id of the matched object in the other image, or 0.
    image : numpy.ndarray
        uint8, shape of the images: a `Category` for each pixel. Where both images have an object,
        errors are shown before matches, and the truth's before the prediction's.
    counts : MatchCounts
        The matched, extra (with split and merged ones) and missed (likewise) objects.
    """

    truth_labels: Labels
    truth_categories: Values
    truth_partners: Labels
    prediction_labels: Labels
    prediction_categories: Values
    prediction_partners: Labels
    image: Values
    counts: MatchCounts

    def count(self, category: Category) -> tuple[int, int]:
        """Count the true and the predicted objects of a category."""
        return (
            int(np.count_nonzero(self.truth_categories == category)),
            int(np.count_nonzero(self.prediction_categories == category)),
        )


def panoptic_quality(truth: npt.ArrayLike, prediction: npt.ArrayLike) -> PanopticQuality:
    """Panoptic quality of one class, PQ = SQ · RQ (Kirillov et al., CVPR 2019, equation 1).

    A pair is matched when its IoU is above 0.5, so that no object can be in two pairs.

    Parameters
    ----------
    truth, prediction : array of int, same shape, two or more axes
        Label images, 0 is background; ids may have gaps.

    Returns
    -------
    PanopticQuality

    Raises
    ------
    TypeError
        If an array does not hold integers.
    ValueError
        If the shapes differ or a label is negative.
    """
    overlap = Overlap(*check_pair(truth, prediction))
    objects = overlap.num_true + overlap.num_predicted
    if not objects:
        return PanopticQuality(float("nan"), float("nan"), float("nan"))
    matched = overlap.iou[overlap.iou > _MOSTLY]
    segmentation = float(matched.mean()) if matched.size else 0.0
    recognition = 2 * matched.size / objects
    return PanopticQuality(segmentation * recognition, segmentation, recognition)


def compare_objects(
    truth: npt.ArrayLike, prediction: npt.ArrayLike, threshold: float = 0.5
) -> ObjectComparison:
    """Tell what became of each object: matched, missed, extra, split or merged.

    Matched objects are those that `match_counts` counts: their IoU reaches ``threshold``, each is
    used once. The others are sorted by the classes of Hoover et al. (IEEE TPAMI 18, 1996, section
    4: over-segmentation, under-segmentation, missed, noise), an object lying "mostly" in another
    when more than half of its pixels do:

    - A true object is *split* when two or more predictions lie mostly in it and cover most of it
      together; predictions of that kind are *split*, too.
    - A prediction is *merged* when two or more true objects lie mostly in it and make up most of
      it together; true objects of that kind are *merged*, too.
    - Other true objects are *missed*, other predictions *extra*.

    The first of matched, merged, split that holds is given. So a nucleus found well, with a sliver
    cut off, is matched and the sliver split; a small nucleus swallowed by its neighbour's outline
    is merged, while the neighbour may still be matched.

    Parameters
    ----------
    truth, prediction : array of int, same shape, two or more axes
        Label images, 0 is background; ids may have gaps.
    threshold : float
        IoU from which a pair counts as a match, above 0 and at most 1.

    Returns
    -------
    ObjectComparison

    Raises
    ------
    TypeError
        If an array does not hold integers.
    ValueError
        If the shapes differ, a label is negative, or the threshold is out of range.
    """
    overlap = Overlap(*check_pair(truth, prediction))
    partners = overlap.matches(check_threshold(threshold))
    back = np.zeros(overlap.predicted_ids.size, dtype=np.intp)
    back[partners] = np.arange(partners.size)
    back[0] = 0
    split, merged = _split(overlap), _merged(overlap)
    true = _categories(partners > 0, merged[0], split[0], Category.MISSED)
    predicted = _categories(back > 0, merged[1], split[1], Category.EXTRA)
    return ObjectComparison(
        truth_labels=overlap.true_ids[1:],
        truth_categories=true[1:],
        truth_partners=overlap.predicted_ids[partners[1:]],
        prediction_labels=overlap.predicted_ids[1:],
        prediction_categories=predicted[1:],
        prediction_partners=overlap.true_ids[back[1:]],
        image=_painted(true[overlap.true_numbers], predicted[overlap.predicted_numbers]),
        counts=MatchCounts.of(overlap, threshold),
    )


def _split(overlap: Overlap) -> tuple[Flags, Flags]:
    """Find true objects in several parts, and the predictions that are parts of them."""
    part = overlap.shared > _MOSTLY * overlap.predicted_sizes[overlap.predicted]
    whole, parts, shared = (x[part] for x in (overlap.true, overlap.predicted, overlap.shared))
    broken = _made_of_several(whole, shared, overlap.true_sizes)
    fragments = np.zeros(overlap.predicted_ids.size, dtype=bool)
    fragments[parts[broken[whole]]] = True
    return broken, fragments


def _merged(overlap: Overlap) -> tuple[Flags, Flags]:
    """Find true objects that share a prediction, and the predictions that hold several."""
    part = overlap.shared > _MOSTLY * overlap.true_sizes[overlap.true]
    parts, whole, shared = (x[part] for x in (overlap.true, overlap.predicted, overlap.shared))
    joining = _made_of_several(whole, shared, overlap.predicted_sizes)
    joined = np.zeros(overlap.true_ids.size, dtype=bool)
    joined[parts[joining[whole]]] = True
    return joined, joining


def _made_of_several(
    whole: npt.NDArray[np.integer], shared: npt.NDArray[np.integer], sizes: npt.NDArray[np.integer]
) -> Flags:
    parts = np.bincount(whole, minlength=sizes.size)
    covered = np.bincount(whole, shared, minlength=sizes.size)
    return (parts >= 2) & (covered > _MOSTLY * sizes)


def _categories(matched: Flags, merged: Flags, split: Flags, left: Category) -> Values:
    """Category of each number; that of number 0 is the background's."""
    found = np.full(matched.size, left, dtype=np.uint8)
    for flags, category in (
        (split, Category.SPLIT),
        (merged, Category.MERGED),
        (matched, Category.MATCHED),
    ):
        found[flags] = category
    found[0] = Category.BACKGROUND
    return found


def _painted(true: Values, predicted: Values) -> Values:
    error = true > Category.MATCHED
    return np.where(error | (predicted == Category.BACKGROUND), true, predicted)
