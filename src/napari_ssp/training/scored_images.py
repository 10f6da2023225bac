"""Validation images that a run scores: all, or the same few each time where time is short."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from napari_ssp.training.scored_parts import ImageParts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Image = TypeVar("Image")

#: An F1 of fewer objects says too little: of 20, one more that is found moves it by 0.05.
FEWEST_OBJECTS = 20
#: Share of a run's time for its scorings: half of it for those in between, half for the others.
SHARE = 0.2
_TURN = (math.sqrt(5.0) - 1.0) / 2.0


class ScoredImages(Generic[Image]):
    """Images in the order in which they are scored, as many as there is time for.

    The first scoring finds how many; all others see the same ones, so that their scores can be
    compared. What was taken lies evenly among all.

    Parameters
    ----------
    images : sequence
        Validation images.
    seconds : float
        Time for one scoring; at least one image is scored. Infinity takes all, as they are sorted.
    count_objects : callable, optional
        Objects that were annotated in an image.
    clock : callable
        Seconds that only go up.

    Attributes
    ----------
    count : int or None
        Images that are scored; None before that is known.
    """

    def __init__(
        self,
        images: Sequence[Image],
        seconds: float = math.inf,
        count_objects: Callable[[Image], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.images = images
        self.is_limited = math.isfinite(seconds)
        self.count: int | None = None if self.is_limited else len(images)
        self._seconds = seconds
        self._count_objects = count_objects
        self._objects: int | None = None
        self._clock = clock

    def __len__(self) -> int:
        return len(self.images) if self.count is None else self.count

    def __iter__(self) -> Iterator[Image]:
        began = self._clock()
        for done, index in enumerate(self._order()):
            if self.count is None and done:
                with_next = (self._clock() - began) * (done + 1) / done
                self.count = done if with_next > self._seconds else None
            if done == self.count:
                return
            yield self.images[index]
        self.count = len(self.images)

    @property
    def noun(self) -> str:
        """What is scored, in words."""
        parts = isinstance(self.images, ImageParts)
        return "parts of the validation images" if parts else "validation images"

    @property
    def objects(self) -> int | None:
        """Annotated objects in what is scored; None before that is known, and of structures."""
        if self._objects is None and self._count_objects is not None and self.count:
            scored = [self.images[index] for index in self._order()[: self.count]]
            self._objects = sum(map(self._count_objects, scored))
        return self._objects

    def _order(self) -> list[int]:
        """Order of which any beginning lies evenly among all, and which begins with the first."""
        numbers = range(len(self.images))
        return sorted(numbers, key=lambda n: n * _TURN % 1.0) if self.is_limited else [*numbers]


def seconds_of_scoring(minutes: float, known: bool = False) -> float:
    """Time for one scoring of a run.

    Parameters
    ----------
    minutes : float
        Time of the run; infinity sets no limit.
    known : bool
        Whether replayed images decide in the end what is taken, and the validation images are
        scored up to three times more.
    """
    before_and_after = 2 + 3 * known
    return 60.0 * minutes * SHARE / 2 / before_and_after


def seconds_of_known(minutes: float) -> float:
    """Time for one of the five scorings of replayed images, after those of a run."""
    return 60.0 * minutes * SHARE / 8


def find_enough(best: float, objects: int | None) -> float:
    """Least F1 that cannot be told from the best one: a standard error less.

    The rule of L. Breiman et al., Classification and Regression Trees (1984): of what scores alike
    the simplest is taken.

    Parameters
    ----------
    best : float
        F1, 0 to 1.
    objects : int or None
        How many were annotated; None, or 0, tells nothing.
    """
    return best - math.sqrt(best * (1.0 - best) / objects) if objects else best


def are_too_few(objects: int | None) -> bool:
    """Whether so few objects were scored that nothing can be judged by them."""
    return objects is not None and objects < FEWEST_OBJECTS
