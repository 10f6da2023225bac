"""Folders and tables that training pairs come from, whatever a pair is, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from napari_ssp.atomic import is_special
from napari_ssp.io import image_stem
from napari_ssp.io.hidden import is_left_by_system
from napari_ssp.service.training.pair_tables import TableLayout, read_lines, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_ssp.service.training.pair_tables import Line

P = TypeVar("P")
T = TypeVar("T")


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
    """

    pairs: tuple[P, ...] = ()
    strays: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    count: int = 0


def make_pairs(
    items: Iterable[T], make: Callable[[T], Sequence[P]], strays: Iterable[Path] = ()
) -> PairScan[P]:
    """Make the pairs of each item; a ValueError says what is wrong with one."""
    pairs: list[P] = []
    problems = []
    for item in items:
        try:
            pairs += make(item)
        except ValueError as error:
            problems.append(str(error))
    return PairScan(tuple(pairs), tuple(strays), tuple(problems), len(pairs) + len(problems))


def scan_table(
    path: Path,
    layout: TableLayout,
    splits: Sequence[str],
    exclude: Iterable[str],
    make: Callable[[Path, Mapping[str, str]], Sequence[P]],
) -> PairScan[P]:
    """Make the pairs of each line of a table.

    Parameters
    ----------
    path : pathlib.Path
        As `read_lines` takes it.
    layout : TableLayout
        Its columns; the first is that of the images.
    splits : sequence of str
        Values of ``split`` to take.
    exclude : iterable of str
        Names, without suffix, of images to leave out.
    make : callable
        Makes pairs of the folder of the table and the values of a line; a ValueError says what is
        wrong with it.
    """
    try:
        lines = read_lines(path, layout, splits)
    except ValueError as error:
        return PairScan(problems=(str(error),))
    left_out = set(exclude)

    def of_line(line: Line) -> Sequence[P]:
        try:
            require(line.values, layout.columns)
            return make(path.parent, line.values)
        except ValueError as error:
            raise ValueError(f"{path.name}, line {line.number}: {error}") from error

    image = layout.columns[0]
    wanted = [one for one in lines if image_stem(path / one.values[image]) not in left_out]
    return make_pairs(wanted, of_line)


def list_files(folder: Path, is_image: Callable[[Path], bool]) -> tuple[list[Path], list[Path]]:
    """Images of a folder and other files, by name; hidden ones count as neither."""
    shown = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    named = [path for path in shown if is_image(path) and not is_special(path)]
    images = [path for path in named if not is_left_by_system(path)]
    return images, [path for path in shown if path not in set(images)]
