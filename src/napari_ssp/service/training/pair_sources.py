"""Folders and tables that training pairs come from, whatever a pair is, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from napari_ssp.atomic import is_special
from napari_ssp.io.hidden import is_left_by_system
from napari_ssp.io.objects.notes import is_note
from napari_ssp.service.training.pair_tables import check_line, read_lines
from napari_ssp.service.training.scenes import Match, match_files, single_source

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_ssp.io import ImageSource
    from napari_ssp.service.training.pair_tables import TableLayout
    from napari_ssp.service.training.scenes import Sources

P = TypeVar("P")
if TYPE_CHECKING:
    #: Makes a pair of an image, its target and values by column; a ValueError says what is wrong.
    MakePair = Callable[[ImageSource, ImageSource, Mapping[str, str]], P]


@dataclass(frozen=True)
class PairScan(Generic[P]):
    """What a source of training data holds.

    Attributes
    ----------
    pairs : tuple
        What can be used, as far as names and headers tell, in the order of the source.
    strays : tuple of pathlib.Path
        Files that are no images, and targets of no image; they are skipped.
    problems : tuple of str
        What is wrong with the others, one line each.
    count : int
        How many pairs there are, usable or not.
    notes : tuple of str
        Files that belong to the set of another one.
    """

    pairs: tuple[P, ...] = ()
    strays: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    count: int = 0
    notes: tuple[str, ...] = ()

    def or_problem(self, problem: str) -> PairScan[P]:
        """Scan with a problem where there is no pair at all, else as it is."""
        return self if self.count or self.problems else replace(self, problems=(problem,))


def make_pairs(
    matches: Iterable[Match],
    make: MakePair[P],
    values: Mapping[str, str],
    strays: Iterable[Path] = (),
    notes: Iterable[str] = (),
) -> PairScan[P]:
    """Make a pair of each image, its target and the values that a table, or the folder, gives."""
    pairs: list[P] = []
    problems = []
    for image, target, problem in matches:
        if problem or target is None:
            problems.append(problem)
            continue
        try:
            pairs.append(make(image, target, values))
        except ValueError as error:
            problems.append(str(error))
    count = len(pairs) + len(problems)
    return PairScan(tuple(pairs), tuple(strays), tuple(problems), count, tuple(notes))


def scan_table(
    path: Path,
    layout: TableLayout,
    splits: Sequence[str],
    left_out: Collection[str],
    target_scenes: Callable[[Path], Sources],
    make: MakePair[P],
) -> PairScan[P]:
    """Make the pairs of all lines of a table.

    Parameters
    ----------
    path, layout, splits
        As `read_lines` takes them.
    left_out : collection of str
        Names, without suffix, of images to leave out.
    target_scenes : callable
        Lists the images of a target file.
    make : callable
        As `make_pairs` takes it.
    """
    try:
        lines = read_lines(path, layout, splits)
    except ValueError as error:
        return PairScan(problems=(str(error),))
    pairs: list[P] = []
    problems: list[str] = []
    for number, values in lines:
        image, target = (path.parent / values[name] for name in layout.columns[:2])
        try:
            check_line(values, layout)
            found = match_files(image, target, target_scenes)
        except ValueError as error:
            found = [Match(single_source(image), None, str(error))]
        scan = make_pairs([one for one in found if not one.is_among(left_out)], make, values)
        pairs += scan.pairs
        problems += [f"{path.name}, line {number}: {problem}" for problem in scan.problems]
    return PairScan(tuple(pairs), (), tuple(problems), len(pairs) + len(problems))


def list_files(folder: Path, is_image: Callable[[Path], bool]) -> tuple[list[Path], list[Path]]:
    """Images of a folder and other files, by name; notes and hidden ones count as neither."""
    found = sorted(folder.iterdir())
    shown = [path for path in found if not (is_note(path) or is_left_by_system(path))]
    images = [path for path in shown if is_image(path) and not is_special(path)]
    known = set(images)
    return images, [path for path in shown if path not in known]
