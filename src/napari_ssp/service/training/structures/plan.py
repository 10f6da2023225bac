"""Plan of a training on structures: what it would do, and faults of its stacks."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.service.results import DataSize, TrainingPlan
from napari_ssp.service.training.kind import TrainingPlanner
from napari_ssp.service.training.pair_tables import (
    SCORED_SPLITS,
    TRAINING_SPLITS,
    VALIDATION_SPLITS,
)
from napari_ssp.service.training.plan_words import (
    describe_limits,
    warn_in_parts,
    warn_scored_as_well,
    warn_skipped,
    warn_too_small,
)
from napari_ssp.service.training.structures.card import base_card, check_voxel_size, new_structure
from napari_ssp.service.training.structures.pairs import PairFiles, scan_structures, task_order
from napari_ssp.service.training.structures.stack_headers import (
    check_shapes,
    common_size,
    stack_header,
)
from napari_ssp.service.training.structures.workload import WORKLOAD, ends_by_time
from napari_ssp.training.holdout import SHARE, WHOLE_FROM, choose_holdout, place_holdout_strip
from napari_ssp.training.scored_parts import divide_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_ssp.image import VoxelSize
    from napari_ssp.registry import ModelCard
    from napari_ssp.service.training.requests import TrainStructuresRequest
    from napari_ssp.service.training.structures.pairs import Pair

_Shape = tuple[int, ...]


@dataclass(frozen=True)
class StructureFiles:
    """Stacks of a training by what becomes of them, as far as headers tell.

    Attributes
    ----------
    training, validation : tuple of PairFiles or PreparedPair
        What people gave to learn from, and to score.
    order : tuple of str
        The model's structures.
    shapes, scored_shapes : tuple of tuple of int
        (Z, Y, X) of the training and of the validation signals.
    voxel_size : tuple of float or None
        (z, y, x) in µm where the files state one.
    strays : tuple of pathlib.Path
        Skipped.
    notes : tuple of str
        Files that belong to the set of another one.
    """

    training: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    order: tuple[str, ...]
    shapes: tuple[_Shape, ...] = ()
    scored_shapes: tuple[_Shape, ...] = ()
    voxel_size: VoxelSize | None = None
    strays: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    def set_aside(self) -> tuple[list[int], list[int], list[int]]:
        """Find places of stacks held out whole, by a strip, and too small for one."""
        by_task: dict[str, list[int]] = defaultdict(list)
        for place, pair in enumerate(() if self.validation else self.training):
            by_task[pair.task].append(place)
        whole: list[int] = []
        strips: list[int] = []
        small: list[int] = []
        for places in by_task.values():
            if len(places) >= WHOLE_FROM:
                whole += [places[k] for k in sorted(choose_holdout(len(places)))]
                continue
            for k in places:
                (strips if place_holdout_strip(max(self.shapes[k][1:])) else small).append(k)
        return whole, strips, small


def _describe(
    request: TrainStructuresRequest, base: ModelCard | None, files: StructureFiles
) -> TrainingPlan:
    whole, strips, small = files.set_aside()
    names = [pair.name for pair in files.training]
    scored = tuple(pair.name for pair in files.validation)
    return TrainingPlan(
        _summary(request, base, files, (len(whole), len(strips))),
        tuple(_warnings(request, base, files, [names[k] for k in small])),
        tuple(name for k, name in enumerate(names) if k not in whole),
        scored or tuple(names[k] for k in whole),
        strip=bool(strips),
        size=DataSize(files.shapes, _count_scored(files, whole, strips)),
    )


def _count_scored(files: StructureFiles, whole: Sequence[int], strips: Sequence[int]) -> float:
    """Voxels of the validation part."""
    voxels = [math.prod(shape) for shape in files.shapes]
    given = sum(map(math.prod, files.scored_shapes))
    return given + sum(voxels[k] for k in whole) + SHARE * sum(voxels[k] for k in strips)


def find_structure_files(request: TrainStructuresRequest, base: ModelCard | None) -> StructureFiles:
    """Find all stacks of a training and check what their headers tell.

    Raises
    ------
    ValueError
        With all problems, or when the structures do not fit the base.
    """
    data = [scan_structures(s, TRAINING_SPLITS, request.exclude) for s in request.data]
    scored = [scan_structures(s, VALIDATION_SPLITS, request.exclude) for s in request.validation]
    every = [*data, *scored]
    if not request.validation:
        tables = (s for s in request.data if not (s / "signal").is_dir())
        kept = [scan_structures(s, SCORED_SPLITS, request.exclude) for s in tables]
        scored = [scan for scan in kept if scan.pairs]
        every += scored
    training = tuple(pair for scan in data for pair in scan.pairs)
    validation = tuple(pair for scan in scored for pair in scan.pairs)
    problems = list(dict.fromkeys(line for scan in every for line in scan.problems))
    headers = [_header(pair, problems) for pair in (*training, *validation)]
    if problems:
        count = len(headers) + sum(len(scan.problems) for scan in every)
        lines = "\n  ".join(problems)
        raise ValueError(f"{len(problems)} of {count} pairs or sources cannot be used:\n  {lines}")
    new_structure(base, [one.task for one in training])
    order = task_order(training, validation, request.tasks, base.tasks if base else ())
    size = common_size(one[1] for one in headers)
    if base is not None:
        check_voxel_size(request.stacks.voxel_size or size, base)
    shapes = tuple(shape for shape, _ in headers)
    strays = tuple(dict.fromkeys(path for scan in every for path in scan.strays))
    notes = tuple(dict.fromkeys(note for scan in every for note in scan.notes))
    return StructureFiles(
        training,
        validation,
        order,
        shapes=shapes[: len(training)],
        scored_shapes=shapes[len(training) :],
        voxel_size=size,
        strays=strays,
        notes=notes,
    )


def _header(pair: Pair, problems: list[str]) -> tuple[_Shape, VoxelSize | None]:
    """Shape and voxel size of a signal; what is wrong with the pair joins the problems."""
    if not isinstance(pair, PairFiles):
        return pair.shape, None
    try:
        signal = stack_header(pair.signal_source, "signal", pair.channel_signal)
        target = stack_header(pair.target_source, "target", pair.channel_target)
        check_shapes(signal.shape, target.shape)
    except (OSError, ValueError, TypeError, ImportError) as error:
        problems.append(f"{pair.name}: {error}")
        return (), None
    return signal


def _summary(
    request: TrainStructuresRequest,
    base: ModelCard | None,
    files: StructureFiles,
    aside: tuple[int, int],
) -> str:
    start = f"from '{base.name}'" if base else "from scratch"
    if base is not None and len(files.order) > len(base.tasks):
        start = f"as one more structure of '{base.name}', whose others stay as they are"
    counts = _counts([pair.task for pair in files.training])
    words = f"{counts} to learn {start}, {_scored(files, *aside)}"
    return f"{words}; {describe_limits(minutes=request.schedule.minutes, steps=_steps(request))}."


def _steps(request: TrainStructuresRequest) -> int | None:
    return None if ends_by_time(request) else request.schedule.steps


def _scored(files: StructureFiles, whole: int, strips: int) -> str:
    if files.validation:
        return f"{len(files.validation)} for validation"
    parts = [f"{_stacks(whole)} of them for validation"] if whole else []
    parts += [f"a strip of {_stacks(strips)} for validation"] if strips else []
    return f"{' and '.join(parts)}, set aside by itself" if parts else "none for validation"


def _counts(tasks: Sequence[str]) -> str:
    seen = dict.fromkeys(tasks)
    return ", ".join(f"{_stacks(tasks.count(task))} of {task}" for task in seen)


def _stacks(count: int) -> str:
    return f"{count} stack{'s' * (count != 1)}"


def _warnings(
    request: TrainStructuresRequest,
    base: ModelCard | None,
    files: StructureFiles,
    small: Sequence[str],
) -> Iterator[str]:
    yield from files.notes
    if files.strays:
        yield warn_skipped(files.strays)
    scored = set(files.validation)
    both = [pair.name for pair in files.training if pair in scored]
    if both:
        yield warn_scored_as_well(both)
    if small:
        yield warn_too_small(small)
    large = [name for name, shape in _scored_shapes(files) if divide_stack(shape)]
    if large:
        yield warn_in_parts(large)
    unknown = files.voxel_size is None and request.stacks.voxel_size is None
    unknown &= any(isinstance(pair, PairFiles) for pair in files.training)
    if base is not None and base.voxel_size is not None and unknown:
        size = " × ".join(f"{n:g}" for n in base.voxel_size)
        yield f"The stacks state no voxel size; they are taken to have the base's, {size} µm."


def _scored_shapes(files: StructureFiles) -> Iterator[tuple[str, _Shape]]:
    """Names and shapes of what is scored; of a strip that along the longer side."""
    for pair, shape in zip(files.validation, files.scored_shapes, strict=True):
        yield pair.name, shape
    whole, strips, _ = files.set_aside()
    for k in (*whole, *strips):
        depth, *plane = files.shapes[k]
        side = round(SHARE * max(plane)) if k in strips else max(plane)
        yield files.training[k].name, (depth, min(plane), side)


STRUCTURES_PLANNER = TrainingPlanner(
    base_card=base_card,
    find_files=find_structure_files,
    describe=_describe,
    workload=WORKLOAD,
)
