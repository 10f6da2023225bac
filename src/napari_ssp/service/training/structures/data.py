"""Pairs of stacks, read for a training: statistics, voxel size and order of the structures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from napari_ssp.engine.volume import Statistics
from napari_ssp.io import read_image
from napari_ssp.progress import Progress
from napari_ssp.service.training.structures.pairs import PairFiles
from napari_ssp.service.training.structures.stack_headers import (
    as_stack,
    check_shapes,
    check_stack,
    common_size,
)
from napari_ssp.training.data import ScoredArray, StructurePair
from napari_ssp.training.structures.stack_store import STACKS, StackStore
from napari_ssp.training.structures.volumes import PreparedPair

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.engine.volume import Read
    from napari_ssp.image import MicroscopyImage, VoxelSize
    from napari_ssp.progress import Steps
    from napari_ssp.service.training.structures.pairs import Pair


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
    store : StackStore
        Keeps the arrays.
    warnings : tuple of str
        What reading them gave reason to say.
    """

    training: list[StructurePair]
    validation: list[StructurePair]
    tasks: tuple[str, ...]
    descriptions: dict[str, str] = field(default_factory=dict)
    target_statistics: dict[str, tuple[float, float]] = field(default_factory=dict)
    voxel_size: VoxelSize | None = None
    store: StackStore = field(kw_only=True)
    warnings: tuple[str, ...] = ()

    def close(self) -> None:
        """Remove files in which stacks were kept."""
        self.store.close()


class _Loaded(NamedTuple):
    pair: StructurePair
    raw_target: tuple[float, float]
    voxel_size: VoxelSize | None


def load_structures(
    training: Sequence[Pair],
    validation: Sequence[Pair],
    order: tuple[str, ...],
    store: StackStore,
) -> Steps[StructureData]:
    """Read all pairs, one after the other; prepared data stay on the disk.

    Parameters
    ----------
    training, validation : sequence of PairFiles or PreparedPair
        What to read.
    order : tuple of str
        The structures, as
        :func:`~napari_ssp.service.training.structures.pairs.task_order` gives them.
    store : StackStore
        Keeps the arrays, in their own type.

    Yields
    ------
    Progress
        After every pair.

    Raises
    ------
    ValueError
        When files cannot be read, are no stacks or do not fit; all of them are listed.
    """
    loaded, problems = [], []
    total = len(training) + len(validation)
    for done, one in enumerate((*training, *validation), 1):
        try:
            loaded.append(_load(one, order.index(one.task), store))
        except (OSError, ValueError, TypeError, IndexError) as error:
            problems.append(f"{one.name}: {error}")
        yield Progress("reading training images", done, total)
    if problems:
        lines = "\n  ".join(problems)
        raise ValueError(f"{len(problems)} of {total} pairs cannot be used:\n  {lines}")
    learned = loaded[: len(training)]
    return StructureData(
        training=[one.pair for one in learned],
        validation=[one.pair for one in loaded[len(training) :]],
        tasks=order,
        descriptions={
            one.task: one.description
            for one in training
            if isinstance(one, PairFiles) and one.description
        },
        target_statistics=_mean_statistics(learned, order),
        voxel_size=common_size(one.voxel_size for one in loaded),
        store=store,
    )


#: What of the data is no stack.
_FACTS = ("tasks", "descriptions", "target_statistics", "voxel_size", "warnings")


def pack_stacks(data: StructureData) -> dict[str, Any]:
    """Stacks as arrays that travel, in their own type, and what is known of them."""
    found = {name: getattr(data, name) for name in _FACTS}
    for role in ("training", "validation"):
        found[role] = [
            (pair.name, _pack_array(pair.signal), _pack_array(pair.target), pair.task)
            for pair in getattr(data, role)
        ]
    return found


def _pack_array(array: ScoredArray) -> tuple[NDArray[Any], float, float]:
    whole = tuple(slice(0, length) for length in array.shape)
    return array.read_raw(whole), array.statistics.mean, array.statistics.deviation


def unpack_stacks(content: dict[str, Any], folder: Path) -> StructureData:
    """Stacks that were sent."""
    store = StackStore(folder / STACKS)

    def scored(pixels: NDArray[Any], mean: float, deviation: float) -> ScoredArray:
        return ScoredArray(store.keep(pixels), pixels.shape, Statistics(mean, deviation))

    def pairs(role: str) -> list[StructurePair]:
        return [
            StructurePair(name, scored(*signal), scored(*target), task)
            for name, signal, target, task in content[role]
        ]

    facts = {name: content[name] for name in _FACTS}
    return StructureData(pairs("training"), pairs("validation"), **facts, store=store)


def _load(files: Pair, task: int, store: StackStore) -> _Loaded:
    if isinstance(files, PreparedPair):
        signal = ScoredArray(cast("Read", files.signal), files.shape)
        target = ScoredArray(cast("Read", files.target), files.shape)
        pair = StructurePair(files.name, signal, target, task)
        return _Loaded(pair, files.target_statistics, None)
    return _load_files(files, task, store)


def _load_files(files: PairFiles, task: int, store: StackStore) -> _Loaded:
    signal = read_image(files.signal, files.scene_signal)
    target = read_image(files.target, files.scene_target)
    check_stack(signal, "signal", files.channel_signal)
    check_stack(target, "target", files.channel_target)
    signal = as_stack(signal)
    source = _scored(signal, files.channel_signal, "signal", store)
    measured = _scored(target, files.channel_target, "target", store)
    check_shapes(source.shape, measured.shape)
    pair = StructurePair(files.name, source, measured, task)
    raw: Statistics = measured.statistics
    return _Loaded(pair, (raw.mean, raw.deviation), signal.voxel_size)


def _scored(
    image: MicroscopyImage, channel: int | None, role: str, store: StackStore
) -> ScoredArray:
    pixels = _stack(image, channel)
    try:
        scored = ScoredArray.of(pixels)
    except ValueError as error:
        raise ValueError(f"{role}: {error}") from error
    return replace(scored, read_raw=store.keep(pixels))


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
