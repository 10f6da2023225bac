"""Tables of training pairs: CSV files with one pair in each line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.io.objects.tables import read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Values of the column "split" that belong to training, and to validation.
TRAINING_SPLITS = ("", "train", "training")
VALIDATION_SPLITS = ("", "val", "validation")
#: Of data that are learned from, those that are kept apart to be scored.
SCORED_SPLITS = ("val", "validation")


class TableLayout(NamedTuple):
    """Columns of a table: those it must have, image and target first, and those it may have."""

    columns: Sequence[str]
    channels: Sequence[str]
    more: Sequence[str] = ()


class Line(NamedTuple):
    """A line of a table: its number in the file, and its values by column."""

    number: int
    values: dict[str, str]


def read_lines(path: Path, layout: TableLayout, splits: Sequence[str]) -> list[Line]:
    """Lines of a table of pairs whose split is wanted.

    Parameters
    ----------
    path : pathlib.Path
        CSV file in UTF-8, divided by commas or semicolons.
    layout : TableLayout
        Its columns; ``split`` may always be there.
    splits : sequence of str
        Values of ``split`` to take; in a table without that column it is empty everywhere.

    Raises
    ------
    ValueError
        When it is no such table.
    """
    rows, columns = read_rows(path), layout.columns
    missing = [name for name in columns if not rows or name not in rows[0][1]]
    if missing:
        raise ValueError(
            f"{path} lacks the columns {', '.join(missing)}; a table of pairs has "
            f"{' and '.join([', '.join(columns[:-1]), columns[-1]])}, and may have "
            f"{', '.join((*layout.channels, *layout.more))} and split."
        )
    found = [
        Line(number, {name: value.strip() for name, value in row.items() if name})
        for number, row in rows
    ]
    return [line for line in found if line.values.get("split", "").lower() in splits]


def check_line(values: Mapping[str, str], layout: TableLayout) -> None:
    """Refuse a line with an empty place, or a channel that is no number.

    Raises
    ------
    ValueError
        Which names the columns, or the channel.
    """
    empty = [name for name in layout.columns if not values[name]]
    if empty:
        raise ValueError(f"no {' and no '.join(empty)}")
    for name in layout.channels:
        parse_channel(values.get(name, ""))


def parse_channel(text: str) -> int | None:
    """Read the number of a channel; None where nothing was said.

    Raises
    ------
    ValueError
        When it is no number.
    """
    if text and not text.isdecimal():
        raise ValueError(f"a channel is a number from 0, got '{text}'")
    return int(text) if text else None
