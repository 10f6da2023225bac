"""Preparation of stacks for training: check, divide, normalise, resample, store."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_ssp.datasets.files import check_files
from napari_ssp.datasets.splits import SEED, StackRow, split_collection
from napari_ssp.datasets.tables import Problems, read_tables, write_table
from napari_ssp.engine.volume import Resampler, RunningStatistics
from napari_ssp.io import image_stem, read_image
from napari_ssp.progress import Progress, Steps
from napari_ssp.training.structures.volumes import (
    SPLITS,
    PreparedPair,
    volume_attributes,
    volume_path,
    write_index,
    write_volume,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_ssp.datasets.files import CheckedFiles
    from napari_ssp.engine.volume import Statistics
    from napari_ssp.image import MicroscopyImage

#: 0.108 to 0.29 µm along y and x; 0.29 µm along z is kept.
PUBLISHED_ZOOM = (1.0, 0.37241, 0.37241)
# Part of the key of a stored stack: raise it when stacks are prepared in another way.
_RECIPE = 1
# Output rows that are resampled at once.
_BLOCK = 64


@dataclass(frozen=True)
class PrepareRequest:
    """What to prepare, and how.

    Attributes
    ----------
    tables : tuple of pathlib.Path
        CSV files, one per structure, or folders of them.
    output : pathlib.Path
        Folder of the prepared data; work that was interrupted in it goes on.
    images : pathlib.Path or None
        Folder that the tables' paths start from; None is the working directory and the tables' own.
    zoom : tuple of float
        Factors along z, y and x.
    dtype : str
        Stored type, ``"float16"`` (relative error 0.05 %) or ``"float32"``.
    seed : int
        Of the splits; 42 are the published ones.
    skip_broken : bool
        Leave out rows whose file is missing or broken, instead of stopping. The others stay in
        their splits.
    """

    tables: tuple[Path, ...]
    output: Path
    images: Path | None = None
    zoom: tuple[float, float, float] = PUBLISHED_ZOOM
    dtype: Literal["float16", "float32"] = "float16"
    seed: int = SEED
    skip_broken: bool = False

    def __post_init__(self) -> None:
        if len(self.zoom) != 3 or not all(np.isfinite(f) and 0 < f <= 16 for f in self.zoom):
            raise ValueError(
                f"The zoom is {self.zoom}; give three factors along z, y and x above 0 and at most "
                "16. Below 1 makes a stack smaller."
            )


@dataclass(frozen=True)
class PreparedData:
    """What was prepared.

    Attributes
    ----------
    folder : pathlib.Path
        Where it is.
    counts : dict
        Number of pairs by task and split.
    made, kept : int
        Stacks that were prepared now, and that were there already.
    left_out : tuple of str
        What was missing or broken, one line each.
    doubts : tuple of str
        What reading the files gave reason to doubt, such as several images in one.
    """

    folder: Path
    counts: dict[str, dict[str, int]]
    made: int
    kept: int
    left_out: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Source:
    """One channel of a file."""

    path: Path
    key: str
    channel: int


def prepare_steps(request: PrepareRequest) -> Steps[PreparedData]:
    """Prepare a collection; stacks that are there already are kept.

    Yields
    ------
    Progress
        After every file that is checked and every stack that is prepared.

    Returns
    -------
    PreparedData
        Where it is and what it holds.

    Raises
    ------
    FileNotFoundError
        If there are no tables.
    ValueError
        With the list of all rows that are wrong and all files that are missing or broken.
    """
    tables, problems = read_tables(request.tables), Problems()
    rows = [row for table in tables.values() for row in table]
    checked = yield from check_files(rows, _roots(request), problems)
    if not request.skip_broken:
        problems.check(
            "problems with the files; nothing was written",
            "Download or correct these files, or leave their rows out with --skip-broken.",
        )
    splits = split_collection(tables, seed=request.seed)
    _write_splits(request.output, splits)
    kept = _without(splits, checked.broken)
    sources = _sources(request, kept, checked)
    todo = {s.key: s for s in sources.values() if not _is_done(request, s)}
    failed = yield from _prepare(request, list(todo.values()), problems)
    pairs = list(_pairs(request.output, kept, sources, failed))
    if not request.skip_broken or not pairs:
        problems.check(
            "stacks turned out to be broken; all others were prepared",
            "Replace these files and start again, or leave their rows out with --skip-broken.",
        )
    write_index(request.output, _settings(request, checked), pairs)
    made = len(todo) - len(failed)
    there = len({source.key for source in sources.values()}) - len(todo)
    lines, doubts = tuple(problems.lines), tuple(checked.doubts)
    return PreparedData(request.output, _counts(pairs), made, there, lines, doubts)


def _roots(request: PrepareRequest) -> list[Path]:
    if request.images is not None:
        return [request.images]
    folders = [table if table.is_dir() else table.parent for table in request.tables]
    return list(dict.fromkeys([Path(), *folders]))


_Splits = dict[str, dict[str, list[StackRow]]]


def _write_splits(folder: Path, splits: _Splits) -> None:
    for task, parts in splits.items():
        for split, rows in parts.items():
            write_table(folder / "splits" / task / f"{split}.csv", rows)


def _without(splits: _Splits, broken: set[StackRow]) -> _Splits:
    return {
        task: {s: [row for row in rows if row not in broken] for s, rows in parts.items()}
        for task, parts in splits.items()
    }


def _sources(
    request: PrepareRequest, splits: _Splits, checked: CheckedFiles
) -> dict[tuple[str, int], _Source]:
    """Every channel that is needed, once, by path and channel."""
    rows = [row for parts in splits.values() for rows in parts.values() for row in rows]
    wanted = sorted({(row.path, c) for row in rows for c in (row.signal, row.target)})
    sources = {}
    for path, channel in wanted:
        recipe = [_RECIPE, path, checked.prints[path], channel, request.zoom, request.dtype]
        key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:20]
        sources[path, channel] = _Source(checked.places[path], key, channel)
    return sources


def _is_done(request: PrepareRequest, source: _Source) -> bool:
    return volume_path(request.output, source.key).is_dir()


def _prepare(request: PrepareRequest, todo: list[_Source], problems: Problems) -> Steps[set[str]]:
    """Prepare what is missing; a file that cannot be read is noted, and the others go on."""
    failed = set()
    for done, source in enumerate(todo, 1):
        try:
            values, statistics = prepare_volume(
                read_image(source.path), source.channel, request.zoom
            )
        except (OSError, ValueError, TypeError, IndexError) as error:
            problems.add(f"{source.path}, channel {source.channel}: {error}")
            failed.add(source.key)
        else:
            attributes = {
                "mean": statistics.mean,
                "std": statistics.deviation,
                "source": source.path.name,
                "channel": source.channel,
                "zoom": list(request.zoom),
            }
            write_volume(request.output, source.key, values, request.dtype, attributes)
        yield Progress("preparing stacks", done, len(todo))
    return failed


def prepare_volume(
    image: MicroscopyImage, channel: int, zoom: Sequence[float]
) -> tuple[NDArray[np.float32], Statistics]:
    """Normalise one channel of a stack, then resample it, as RepMode's data were.

    Parameters
    ----------
    image : MicroscopyImage
        The stack; its first time point counts.
    channel : int
        Which channel, from 0.
    zoom : sequence of float
        Factors along z, y and x.

    Returns
    -------
    tuple of numpy.ndarray and Statistics
        float32 (Z, Y, X); mean and standard deviation of the channel as measured.

    Raises
    ------
    ValueError
        If voxels are NaN or infinite, or all are equal.

    Notes
    -----
    The z-score is in float64 over the whole stack, before the cubic interpolation; afterwards the
    standard deviation is no longer exactly 1.
    """
    planes, seen = [], RunningStatistics()
    for t, z in image.planes():
        if t == 0:
            planes.append(image.plane(t, z, channel))
            seen.add(planes[-1])
    statistics, raw = seen.result(), np.stack(planes)

    # Rounded as scipy.ndimage.zoom does.
    shape = tuple(max(1, round(n * f)) for n, f in zip(raw.shape, zoom, strict=True))
    return _resampled(raw, statistics, shape), statistics


def _resampled(
    raw: NDArray[Any], statistics: Statistics, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Scored stack on another grid, in parts on all CPU cores."""

    def z_score(part: NDArray[Any]) -> NDArray[np.float64]:
        return (part.astype(np.float64) - statistics.mean) / statistics.deviation

    def plane(z: int) -> None:
        flat = Resampler(lambda tile: z_score(raw[z][tile]), raw.shape[1:], shape[1:])
        values[z] = flat.block(whole[1:])

    def rows(start: int) -> None:
        box = (whole[0], slice(start, min(start + _BLOCK, shape[1])), whole[2])
        values[box] = Resampler(lambda tile: z_score(raw[tile]), raw.shape, shape).block(box)

    values = np.empty(shape, np.float32)
    whole = tuple(slice(0, n) for n in shape)
    # A spline passes through its own points: planes that stay need no neighbours.
    stays = shape[0] == len(raw)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(
            pool.map(plane, range(shape[0]))
            if stays
            else pool.map(rows, range(0, shape[1], _BLOCK))
        )
    return values


def _pairs(
    folder: Path, splits: _Splits, sources: dict[tuple[str, int], _Source], failed: set[str]
) -> Iterator[PreparedPair]:
    for task, parts in splits.items():
        for split, rows in parts.items():
            for row in rows:
                signal, target = (sources[row.path, c].key for c in (row.signal, row.target))
                if not failed & {signal, target}:
                    name = image_stem(Path(row.path))
                    yield _pair(folder, (task, split, name), signal, target)


def _pair(folder: Path, names: tuple[str, str, str], signal: str, target: str) -> PreparedPair:
    stored = volume_attributes(folder, target)
    statistics = stored["mean"], stored["std"]
    return PreparedPair(*names, stored["shape"], statistics, signal, target, folder)


def _settings(request: PrepareRequest, checked: CheckedFiles) -> dict[str, Any]:
    size = checked.voxel_size()
    scaled = size and [round(n / f, 6) for n, f in zip(size, request.zoom, strict=True)]
    return {
        "zoom": list(request.zoom),
        "dtype": request.dtype,
        "seed": request.seed,
        "voxel_size": scaled,
    }


def _counts(pairs: list[PreparedPair]) -> dict[str, dict[str, int]]:
    found = Counter((pair.task, pair.split) for pair in pairs)
    return {task: {s: found[task, s] for s in SPLITS} for task, _ in sorted(found)}
