from __future__ import annotations

import pytest

from napari_ssp.training.scored_images import (
    ScoredImages,
    are_too_few,
    find_enough,
    seconds_of_scoring,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _pass(scored: ScoredImages[int], clock: Clock, seconds: float) -> list[int]:
    """Score all, each in so many seconds."""
    seen = []
    for image in scored:
        seen.append(image)
        clock.now += seconds
    return seen


def test_without_a_limit_all_images_are_scored_as_they_are_sorted() -> None:
    assert list(ScoredImages(range(7))) == [*range(7)]


def test_as_many_images_are_scored_as_there_is_time_for_and_the_same_each_time() -> None:
    clock = Clock()
    scored = ScoredImages(range(60), 12.0, clock=clock)
    first = _pass(scored, clock, 1.5)
    assert (len(first), scored.count, len(scored)) == (8, 8, 8)
    assert first[0] == 0, "the one that is shown"
    gaps = [b - a for a, b in zip(sorted(first), [*sorted(first)[1:], 60], strict=True)]
    assert max(gaps) <= 15, "they lie evenly among all"
    assert _pass(scored, clock, 30.0) == first, "also when scoring has become slow"
    assert _pass(scored, clock, 0.1) == first, "and when it has become fast"


def test_one_image_is_scored_however_slow_it_is() -> None:
    clock = Clock()
    assert _pass(ScoredImages(range(9), 1.0, clock=clock), clock, 100.0) == [0]


def test_all_are_scored_where_there_is_time() -> None:
    clock = Clock()
    scored = ScoredImages(range(5), 100.0, clock=clock)
    assert sorted(_pass(scored, clock, 1.0)) == [*range(5)]
    assert scored.count == 5


def test_a_scoring_that_was_broken_off_does_not_decide() -> None:
    scored = ScoredImages(range(5), 100.0)
    steps = iter(scored)
    next(steps)
    del steps
    assert scored.count is None


def test_objects_are_those_of_what_is_scored() -> None:
    clock = Clock()
    scored = ScoredImages([7, 5, 3], 2.0, lambda image: image, clock)
    assert scored.objects is None, "not known yet"
    _pass(scored, clock, 1.0)
    assert scored.objects == sum(scored)
    assert scored.count == 2


@pytest.mark.parametrize(("objects", "few"), [(2, True), (19, True), (20, False), (None, False)])
def test_fewer_than_twenty_objects_are_too_few(objects: int | None, few: bool) -> None:
    assert are_too_few(objects) == few


def test_all_scorings_together_take_at_most_a_fifth() -> None:
    """Before and after half of it; a run goes nine times as long on as it was scored."""
    minutes, between = 10.0, 0.1 * 600
    assert 2 * seconds_of_scoring(minutes) + between == pytest.approx(0.2 * 600)
    assert 5 * seconds_of_scoring(minutes, known=True) + between == pytest.approx(0.2 * 600)


def test_an_f1_of_few_objects_is_told_from_a_lower_one_only_by_its_standard_error() -> None:
    assert find_enough(0.5, 25) == pytest.approx(0.4)
    assert find_enough(0.5, 2500) == pytest.approx(0.49)
    assert find_enough(1.0, 3) == 1.0
    assert find_enough(0.6, None) == find_enough(0.6, 0) == 0.6
