"""Folders, tables and prepared data as pairs of transmitted light and fluorescence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_ssp.io import IMAGE_SUFFIXES, image_stem
from napari_ssp.service.training.manifest import Entry
from napari_ssp.service.training.pair_sources import PairScan, list_files, make_pairs, scan_table
from napari_ssp.service.training.pair_tables import TRAINING_SPLITS, TableLayout, parse_channel
from napari_ssp.training.structures.volumes import (
    INDEX_FILE,
    PreparedPair,
    PreparedVolumes,
    volume_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_TABLE = TableLayout(
    ("signal", "target", "task"), ("channel_signal", "channel_target", "description")
)


@dataclass(frozen=True)
class PairFiles:
    """Where a pair is, and what it shows.

    Attributes
    ----------
    signal, target : pathlib.Path
        Transmitted light and fluorescence; the same file where both are channels of one.
    task : str
        Name of the structure.
    channel_signal, channel_target : int or None
        Channels, from 0; None takes the only or first one.
    description : str
        One line about the structure.
    """

    signal: Path
    target: Path
    task: str
    channel_signal: int | None = None
    channel_target: int | None = None
    description: str = ""

    @property
    def name(self) -> str:
        """Name of the signal's file without its suffix."""
        return image_stem(self.signal)


Pair = PairFiles | PreparedPair


def scan_structures(
    source: Path, splits: Sequence[str] = TRAINING_SPLITS, exclude: Iterable[str] = ()
) -> PairScan[Pair]:
    """Pairs of a folder with ``signal`` and ``target``, of a table, or of prepared data.

    Parameters
    ----------
    source : pathlib.Path
        A folder that holds ``signal`` and ``target`` with files of the same names; its own name is
        the task. Or a CSV file with the columns ``signal``, ``target`` and ``task``, and possibly
        ``channel_signal``, ``channel_target``, ``split`` and ``description``; paths are relative to
        the file. Or a folder that ``napari-ssp data prepare structures`` wrote.
    splits : sequence of str
        Pairs of a table or of prepared data count whose split is one of these; in a table without
        the column all do.
    exclude : iterable of str
        Names, without suffix, of signals to leave out.
    """
    left_out = set(exclude)
    try:
        scan = _scan(source, splits, left_out)
    except (OSError, ValueError, ImportError) as error:  # as the folder tells
        return PairScan(problems=(str(error),))
    if scan.count or scan.problems:
        return scan
    return replace(scan, problems=(f"{source} has no pairs that are left to use.",))


def _scan(source: Path, splits: Sequence[str], left_out: set[str]) -> PairScan[Pair]:
    if source.is_file():
        return scan_table(source, _TABLE, splits, left_out, _of_line)
    if (source / INDEX_FILE).is_file():
        prepared = [one for one in PreparedVolumes(source).pairs if one.split in splits]
        kept = tuple(one for one in prepared if one.name not in left_out)
        return PairScan(kept, count=len(kept))
    return _of_folder(source, left_out)


def _of_folder(folder: Path, left_out: set[str]) -> PairScan[Pair]:
    for part in ("signal", "target"):
        if not (folder / part).is_dir():
            raise ValueError(
                f"Structures are learned from a folder that holds 'signal' and 'target', or from a "
                f"CSV file; {folder} has no '{part}'."
            )
    signals, strays = list_files(folder / "signal", _is_image)
    measured, more = list_files(folder / "target", _is_image)
    targets = {image_stem(path): path for path in measured}
    names = {image_stem(path) for path in signals}
    lonely = [path for name, path in targets.items() if name not in names]

    def pair(signal: Path) -> list[Pair]:
        target = targets.get(image_stem(signal))
        if target is None:
            raise ValueError(
                f"{signal}: no target for {signal.name}. A target has its signal's name."
            )
        return [PairFiles(signal, target, folder.name)]

    wanted = [path for path in signals if image_stem(path) not in left_out]
    return make_pairs(wanted, pair, (*strays, *more, *lonely))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _of_line(folder: Path, values: Mapping[str, str]) -> list[Pair]:
    pair = PairFiles(
        folder / values["signal"],
        folder / values["target"],
        values["task"],
        parse_channel(values.get("channel_signal", "")),
        parse_channel(values.get("channel_target", "")),
        values.get("description", ""),
    )
    return [pair]


def entries(pairs: Iterable[Pair], role: str) -> list[Entry]:
    """List the files of pairs; of prepared data the arrays, whose names are digests."""
    found = []
    for one in pairs:
        if isinstance(one, PreparedPair):
            keys = (("signal", one.signal_key), ("target", one.target_key))
            found += [
                Entry(role, f"{kind} {one.task}", volume_path(one.folder, key), one.shape, key)
                for kind, key in keys
            ]
        else:
            found += [
                Entry(role, "signal", one.signal),
                Entry(role, f"target {one.task}", one.target),
            ]
    return found


def task_order(
    training: Sequence[Pair],
    validation: Sequence[Pair],
    tasks: Sequence[str] = (),
    known: Sequence[str] = (),
) -> tuple[str, ...]:
    """Order of the structures on the model's card.

    Parameters
    ----------
    training, validation : sequence of PairFiles or PreparedPair
        What is learned from and scored.
    tasks : sequence of str
        Order that was asked for; empty takes that of first appearance.
    known : sequence of str
        Structures that a base model knows already. They come first, and need no pairs.

    Raises
    ------
    ValueError
        When pairs show a structure that was not named, or one that was named has none.
    """
    seen = tuple(dict.fromkeys(one.task for one in training))
    order = tuple(dict.fromkeys((*known, *(tasks or seen))))
    unknown = sorted({one.task for one in (*training, *validation)} - set(order))
    if unknown:
        raise ValueError(
            f"Pairs show {', '.join(unknown)}, which is not among the tasks {', '.join(order)}. "
            "Name all tasks, or none to take them from the training data."
        )
    idle = [task for task in order if task not in (*seen, *known)]
    if idle:
        raise ValueError(
            f"There are no training pairs for {', '.join(idle)}; there are for {', '.join(seen)}."
        )
    return order
