"""Folders, tables and prepared data as pairs of transmitted light and fluorescence."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from napari_ssp.io import IMAGE_SUFFIXES, image_stem, read_image
from napari_ssp.service.manifest import Entry
from napari_ssp.training.data import ScoredArray, StructurePair
from napari_ssp.training.volumes import (
    INDEX_FILE,
    PreparedPair,
    PreparedVolumes,
    volume_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.engine.volume import Read, Statistics
    from napari_ssp.image import MicroscopyImage

VoxelSize = tuple[float, float, float]

#: Values of a table's column "split" that belong to training and to validation.
TRAINING_SPLITS = ("", "train", "training")
VALIDATION_SPLITS = ("", "val", "validation")
#: Voxel sizes that differ by more than this share are called different.
_SAME_SIZE = 0.02


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


@dataclass(frozen=True, eq=False)
class StructureData:
    """Pairs that were read, with what the model's card needs.

    Attributes
    ----------
    training, validation : list of StructurePair
        Pairs to learn from and to score.
    tasks : tuple of str
        Names of the structures; a pair's task is a position in it.
    descriptions : dict
        Task to one line about it.
    target_statistics : dict
        Task to mean and standard deviation of its raw training targets, averaged over images.
    voxel_size : tuple of float or None
        (z, y, x) in µm where all files that state one agree.
    """

    training: list[StructurePair]
    validation: list[StructurePair]
    tasks: tuple[str, ...]
    descriptions: dict[str, str] = field(default_factory=dict)
    target_statistics: dict[str, tuple[float, float]] = field(default_factory=dict)
    voxel_size: VoxelSize | None = None


class _Loaded(NamedTuple):
    pair: StructurePair
    raw_target: tuple[float, float]
    voxel_size: VoxelSize | None


def find_structure_pairs(
    source: Path, splits: Sequence[str] = TRAINING_SPLITS, exclude: Iterable[str] = ()
) -> list[Pair]:
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

    Raises
    ------
    FileNotFoundError
        When a folder is missing, or signals have no targets; all of them are listed.
    ValueError
        When the table lacks columns or has bad values; all of them are listed.
    """
    found: Sequence[Pair]
    if source.is_file():
        found = _of_table(source, splits)
    elif (source / INDEX_FILE).is_file():
        found = [pair for pair in PreparedVolumes(source).pairs if pair.split in splits]
    else:
        found = _of_folder(source)
    left_out = set(exclude)
    kept = [pair for pair in found if pair.name not in left_out]
    if not kept:
        raise ValueError(f"{source} has no pairs that are left to use.")
    return kept


def _of_folder(folder: Path) -> list[PairFiles]:
    for part in ("signal", "target"):
        if not (folder / part).is_dir():
            raise FileNotFoundError(
                f"Structures are learned from a folder that holds 'signal' and 'target', or from a "
                f"CSV file; {folder} has no '{part}'."
            )
    targets = {image_stem(path): path for path in _images(folder / "target")}
    signals = _images(folder / "signal")
    lonely = [path.name for path in signals if image_stem(path) not in targets]
    if lonely:
        raise FileNotFoundError(
            f"{folder}: no target for {', '.join(lonely[:10])} ({len(lonely)} of {len(signals)}). "
            "A target has the same name as its signal."
        )
    return [PairFiles(path, targets[image_stem(path)], folder.name) for path in signals]


def _images(folder: Path) -> list[Path]:
    found = sorted(folder.iterdir())
    return [p for p in found if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]


def _of_table(path: Path, splits: Sequence[str]) -> list[PairFiles]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    columns = set(rows[0]) if rows else set()
    missing = [name for name in ("signal", "target", "task") if name not in columns]
    if missing:
        raise ValueError(
            f"{path} lacks the columns {', '.join(missing)}; a table of pairs has signal, target "
            "and task, and may have channel_signal, channel_target, split and description."
        )
    pairs, problems = [], []
    for number, row in enumerate(rows, 2):
        clean = {name: (value or "").strip() for name, value in row.items() if name}
        if clean.get("split", "").lower() not in splits:
            continue
        try:
            pairs.append(_of_row(path.parent, clean))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise ValueError(f"{path} has bad lines:\n  " + "\n  ".join(problems))
    return pairs


def _of_row(folder: Path, row: dict[str, str]) -> PairFiles:
    empty = [name for name in ("signal", "target", "task") if not row[name]]
    if empty:
        raise ValueError(f"no {' and no '.join(empty)}")
    return PairFiles(
        folder / row["signal"],
        folder / row["target"],
        row["task"],
        _channel(row.get("channel_signal", "")),
        _channel(row.get("channel_target", "")),
        row.get("description", ""),
    )


def _channel(text: str) -> int | None:
    if text and not text.isdecimal():
        raise ValueError(f"a channel is a number from 0, got '{text}'")
    return int(text) if text else None


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


def load_structures(
    training: Sequence[Pair],
    validation: Sequence[Pair] = (),
    tasks: Sequence[str] = (),
    known: Sequence[str] = (),
) -> StructureData:
    """Read all pairs; each array keeps its own type in memory, prepared data stay on the disk.

    Parameters
    ----------
    training, validation : sequence of PairFiles or PreparedPair
        What to read.
    tasks : sequence of str
        Order of the structures; empty takes the order of first appearance.
    known : sequence of str
        Structures that a model knows already. They come first, and need no pairs.

    Raises
    ------
    ValueError
        When files cannot be read, are no stacks or do not fit; all of them are listed.
    """
    order = _task_order(training, validation, tasks, known)
    loaded, problems = [], []
    for one in (*training, *validation):
        try:
            loaded.append(_load(one, order.index(one.task)))
        except (OSError, ValueError, TypeError, IndexError) as error:
            problems.append(f"{one.name}: {error}")
    if problems:
        raise ValueError(
            f"{len(problems)} of {len(training) + len(validation)} pairs cannot be used:\n  "
            + "\n  ".join(problems)
        )
    learned = loaded[: len(training)]
    return StructureData(
        [one.pair for one in learned],
        [one.pair for one in loaded[len(training) :]],
        order,
        {
            one.task: one.description
            for one in training
            if isinstance(one, PairFiles) and one.description
        },
        _mean_statistics(learned, order),
        _common_size({one.voxel_size for one in loaded}),
    )


def _task_order(
    training: Sequence[Pair],
    validation: Sequence[Pair],
    tasks: Sequence[str],
    known: Sequence[str],
) -> tuple[str, ...]:
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


def _load(files: Pair, task: int) -> _Loaded:
    if isinstance(files, PreparedPair):
        signal = ScoredArray(cast("Read", files.signal), files.shape)
        target = ScoredArray(cast("Read", files.target), files.shape)
        pair = StructurePair(files.name, signal, target, task)
        return _Loaded(pair, files.target_statistics, None)
    return _load_files(files, task)


def _load_files(files: PairFiles, task: int) -> _Loaded:
    signal, target = read_image(files.signal), read_image(files.target)
    for role, image in (("signal", signal), ("target", target)):
        if image.rgb or image.sizes.get("t", 1) > 1:
            what = "a colour image" if image.rgb else "a time series"
            raise ValueError(f"the {role} is {what}; give a grey stack")
    if "z" not in signal.axes:
        raise ValueError(
            f"the signal has the axes '{signal.axes}', shape {signal.shape}, and no z; structures "
            "are learned from z-stacks"
        )
    source = _scored(signal, files.channel_signal, "signal")
    measured = _scored(target, files.channel_target, "target")
    pair = StructurePair(files.name, source, measured, task)
    pair.check()
    raw: Statistics = measured.statistics
    return _Loaded(pair, (raw.mean, raw.deviation), signal.voxel_size)


def _scored(image: MicroscopyImage, channel: int | None, role: str) -> ScoredArray:
    try:
        return ScoredArray.of(_stack(image, channel))
    except ValueError as error:
        raise ValueError(f"{role}: {error}") from error


def _stack(image: MicroscopyImage, channel: int | None) -> NDArray[Any]:
    if "z" not in image.axes:
        return image.plane(channel=channel)
    return np.stack([image.plane(z=z, channel=channel) for z in range(image.sizes["z"])])


def _mean_statistics(
    loaded: Sequence[_Loaded], tasks: Sequence[str]
) -> dict[str, tuple[float, float]]:
    result = {}
    for index, task in enumerate(tasks):
        raw = np.array([one.raw_target for one in loaded if one.pair.task == index])
        if len(raw):
            mean, deviation = raw.mean(axis=0).tolist()
            result[task] = mean, deviation
    return result


def _common_size(sizes: set[VoxelSize | None]) -> VoxelSize | None:
    """Voxel size on which all files agree that state one.

    Raises
    ------
    ValueError
        When they differ.
    """
    stated = sorted(size for size in sizes if size is not None)
    if not stated:
        return None
    if np.ptp(np.log(stated), axis=0).max() > _SAME_SIZE:
        shown = "; ".join(" × ".join(f"{n:g}" for n in size) for size in stated[:5])
        raise ValueError(
            f"The stacks have different voxel sizes (z × y × x in µm): {shown}. Bring them to one "
            "with 'napari-ssp data prepare structures', or train them apart."
        )
    return stated[0]
