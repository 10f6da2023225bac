"""Folders, tables and prepared data as pairs of transmitted light and fluorescence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.atomic import is_special
from napari_ssp.io import IMAGE_SUFFIXES, ImageSource, image_stem
from napari_ssp.io.hidden import is_left_by_system
from napari_ssp.io.scene import image_name
from napari_ssp.io.sources import without_members
from napari_ssp.service.training.manifest import Entry
from napari_ssp.service.training.pair_tables import (
    TRAINING_SPLITS,
    parse_channel,
    read_lines,
    require,
)
from napari_ssp.service.training.scenes import image_scenes, pair_scenes
from napari_ssp.training.structures.volumes import (
    INDEX_FILE,
    PreparedPair,
    PreparedVolumes,
    volume_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_COLUMNS = ("signal", "target", "task")
_MORE_COLUMNS = ("channel_signal", "channel_target", "description")


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
) -> StructureScan:
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
        scan = _scan(source, splits)
    except (
        OSError,
        ValueError,
        ImportError,
    ) as error:  # as the table or the folder tells
        return StructureScan(problems=(str(error),))
    left_out = set(exclude)
    kept = tuple(pair for pair in scan.pairs if not _names(pair) & left_out)
    problems = tuple(line for name, line in scan.bad.items() if name not in left_out)
    if not kept and not problems:
        problems = (f"{source} has no pairs that are left to use.",)
    return StructureScan(kept, scan.strays, problems, scan.notes)


@dataclass(frozen=True)
class StructureScan:
    """What a source of training stacks holds.

    Attributes
    ----------
    pairs : tuple of PairFiles or PreparedPair
        What can be used, as far as names tell.
    strays : tuple of pathlib.Path
        Files that are no images, and targets of no signal; they are skipped.
    problems : tuple of str
        What is wrong with the others, one line each.
    notes : tuple of str
        Files that belong to the set of another one.
    """

    pairs: tuple[Pair, ...] = ()
    strays: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _names(pair: Pair) -> set[str]:
    """Names of a pair: its own, and that of its file."""
    return {pair.name, image_stem(pair.signal)} if isinstance(pair, PairFiles) else {pair.name}


class _Found(NamedTuple):
    pairs: Sequence[Pair]
    strays: tuple[Path, ...] = ()
    bad: Mapping[str, str] = MappingProxyType({})
    notes: tuple[str, ...] = ()


def _scan(source: Path, splits: Sequence[str]) -> _Found:
    if source.is_file():
        return _of_table(source, splits)
    if (source / INDEX_FILE).is_file():
        return _Found([pair for pair in PreparedVolumes(source).pairs if pair.split in splits])
    return _of_folder(source)


def _of_folder(folder: Path) -> _Found:
    for part in ("signal", "target"):
        if not (folder / part).is_dir():
            raise ValueError(
                f"Structures are learned from a folder that holds 'signal' and 'target', or from a "
                f"CSV file; {folder} has no '{part}'."
            )
    signals, strays = _images(folder / "signal")
    measured, more = _images(folder / "target")
    signals, notes = without_members(signals)
    measured, others = without_members(measured)
    targets = {image_stem(path): path for path in measured}
    pairs: list[Pair] = []
    bad = {}
    for path in signals:
        name = image_stem(path)
        if name not in targets:
            bad[name] = f"{path}: no target for {path.name}. A target has its signal's name."
            continue
        try:
            pairs += _scenes(PairFiles(path, targets.pop(name), folder.name))
        except ValueError as error:
            bad[name] = f"{path}: {error}."
    strays += [*more, *targets.values()]
    return _Found(pairs, tuple(strays), bad, (*notes, *others))


def _scenes(files: PairFiles) -> list[PairFiles]:
    """Pairs of all images of two files.

    Raises
    ------
    ValueError
        If their numbers differ.
    """
    found = pair_scenes(image_scenes(files.signal), image_scenes(files.target))
    return [replace(files, scene_signal=s.scene, scene_target=t.scene) for s, t in found]


def _images(folder: Path) -> tuple[list[Path], list[Path]]:
    """Images of a folder and other files; hidden ones count as neither."""
    shown = [path for path in sorted(folder.iterdir()) if not is_left_by_system(path)]
    named = [path for path in shown if path.suffix.lower() in IMAGE_SUFFIXES]
    images = [path for path in named if not is_special(path)]
    return images, [path for path in shown if path not in set(images)]


def _of_table(path: Path, splits: Sequence[str]) -> _Found:
    pairs: list[Pair] = []
    bad = {}
    for number, values in read_lines(path, _COLUMNS, _MORE_COLUMNS, splits):
        try:
            pairs += _scenes(_of_line(path.parent, values))
        except ValueError as error:
            bad[f"{path.name}:{number}"] = f"{path.name}, line {number}: {error}"
    return _Found(pairs, (), bad)


def _of_line(folder: Path, values: dict[str, str]) -> PairFiles:
    require(values, _COLUMNS)
    return PairFiles(
        folder / values["signal"],
        folder / values["target"],
        values["task"],
        parse_channel(values.get("channel_signal", "")),
        parse_channel(values.get("channel_target", "")),
        values.get("description", ""),
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
