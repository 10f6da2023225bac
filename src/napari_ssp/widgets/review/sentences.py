"""Sentences about a review, for a person who does not know what a critic is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.service.review.decisions import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_ssp.service import Review
    from napari_ssp.service.review.decisions import ObjectKey

#: Predicted errors of an image from which on words get worse.
_LITTLE, _MUCH = 0.15, 0.4
#: Predicted error of an object that is more likely wrong than right.
DOUBTFUL = 0.5


def review_line(review: Review) -> str:
    """Say how good the labels look, in words and numbers."""
    error, count = review.image_error, review.num_objects
    verdict = "Most of it looks right"
    if error >= _LITTLE:
        verdict = "Some of it looks wrong"
    if error >= _MUCH:
        verdict = "Much of it looks wrong"
    doubtful = int((review.table["predicted_error"] > DOUBTFUL).sum())
    noun = "object looks" if doubtful == 1 else "objects look"
    objects = "There are no objects." if not count else f"{doubtful} of {count} {noun} wrong."
    planes = "" if review.image_errors.size == 1 else ", the mean of all planes"
    return (
        f"{verdict}: predicted error {error:.2f} (0 is perfect, 1 all wrong){planes}. {objects} "
        "This is a prediction, not a measurement."
    )


def known_line(count: int) -> str:
    """Say that decisions of an earlier time are kept, before there is a list to show them."""
    noun = "object was" if count == 1 else "objects were"
    return f"{count} {noun} decided about earlier; press Review to see the list."


def progress_line(decisions: Mapping[ObjectKey, Decision], total: int) -> str:
    """Say how much was reviewed."""
    counts = dict.fromkeys(Decision, 0)
    for decision in decisions.values():
        counts[decision] += 1
    words = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
    done = sum(counts.values())
    return f"Reviewed {done} of {total}: {words}." if done else f"Reviewed none of {total} yet."
