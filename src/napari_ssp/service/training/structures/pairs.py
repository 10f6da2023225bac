"""Folders, tables and prepared data as pairs of transmitted light and fluorescence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.io import ImageSource, image_stem, is_image_name
from napari_ssp.io.scene import image_name
from napari_ssp.io.sources import without_members
from napari_ssp.service.training.manifest import Entry
from napari_ssp.service.training.pair_sources import PairScan, list_files, make_pairs, scan_table
from napari_ssp.service.training.pair_tables import TRAINING_SPLITS, TableLayout, parse_channel
from napari_ssp.service.training.scenes import Match, image_scenes, match_files, single_source
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
    ("signal", "target", "task"), ("channel_signal", "channel_target"), ("description",)
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
    scene_signal, scene_target : str or None
        Which images of the files, where these hold several.
    """

    signal: Path
    target: Path
    task: str
    channel_signal: int | None = None
    channel_target: int | None = None
    description: str = ""
    scene_signal: str | None = None
    scene_target: str | None = None

    @property
    def name(self) -> str:
        """Name of the signal's file without its suffix, and the scene's name."""
        return image_name(image_stem(self.signal), self.scene_signal or "")

    @property
    def signal_source(self) -> ImageSource:
        """Where the transmitted light is."""
        return ImageSource(self.signal, self.scene_signal, self.name)

    @property
    def target_source(self) -> ImageSource:
        """Where the fluorescence is."""
        return ImageSource(self.target, self.scene_target, self.name)


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
    try:
        scan = _scan(source, splits, set(exclude))
    except (OSError, ValueError, ImportError) as error:  # as the folder tells
        return PairScan(problems=(str(error),))
    return scan.or_problem(f"{source} has no pairs that are left to use.")


def _scan(source: Path, splits: Sequence[str], left_out: set[str]) -> PairScan[Pair]:
    if source.is_file():
        return scan_table(source, _TABLE, splits, left_out, image_scenes, _pair)
    if (source / INDEX_FILE).is_file():
        prepared = [pair for pair in PreparedVolumes(source).pairs if pair.split in splits]
        kept = tuple(pair for pair in prepared if pair.name not in left_out)
        return PairScan(kept, count=len(kept))
    return _of_folder(source, left_out)


def _of_folder(folder: Path, left_out: set[str]) -> PairScan[Pair]:
    for part in ("signal", "target"):
        if not (folder / part).is_dir():
            raise ValueError(
                f"Structures are learned from a folder that holds 'signal' and 'target', or from a "
                f"CSV file; {folder} has no '{part}'."
            )
    signals, strays = list_files(folder / "signal", is_image_name)
    measured, more = list_files(folder / "target", is_image_name)
    signals, notes = without_members(signals)
    measured, others = without_members(measured)
    targets = {image_stem(path): path for path in measured}
    found = [
        match for path in signals for match in _match(path, targets.pop(image_stem(path), None))
    ]
    wanted = [match for match in found if not match.is_among(left_out)]
    strays += [*more, *targets.values()]
    return make_pairs(wanted, _pair, {"task": folder.name}, strays, (*notes, *others))


def _match(signal: Path, target: Path | None) -> list[Match]:
    if target is None:
        problem = f"{signal}: no target for {signal.name}. A target has its signal's name."
        return [Match(single_source(signal), None, problem)]
    return match_files(signal, target, image_scenes)


def _pair(signal: ImageSource, target: ImageSource, values: Mapping[str, str]) -> Pair:
    return PairFiles(
        signal.path,
        target.path,
        values["task"],
        channel_signal=parse_channel(values.get("channel_signal", "")),
        channel_target=parse_channel(values.get("channel_target", "")),
        description=values.get("description", ""),
        scene_signal=signal.scene,
        scene_target=target.scene,
    )


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
