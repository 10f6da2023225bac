"""Prepared stacks on disk: written once, read crop by crop, never held in memory as a whole.

A folder holds ``prepared.json`` (settings and pairs), ``splits/<task>/<split>.csv`` and one sharded
Zarr array per channel of a stack in ``volumes``. Two tasks that share a channel share its array.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import atomic_folder, write_text

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from numpy.typing import NDArray

Box = tuple[slice, slice, slice]

SPLITS = ("train", "val", "test")
INDEX_FILE = "prepared.json"
INDEX_VERSION = 1
# A random crop of 32 x 128 x 128 touches at most 18 of these; one file holds them all.
CHUNK = (32, 64, 64)


@dataclass(frozen=True)
class PreparedPair:
    """A transmitted-light stack and one measured structure on the same grid.

    Attributes
    ----------
    task : str
        Structure that the target shows.
    split : str
        ``"train"``, ``"val"`` or ``"test"``.
    name : str
        Name of the source file without its suffix.
    shape : tuple of int
        (Z, Y, X) of both stacks.
    target_statistics : tuple of float
        Mean and standard deviation of the measured target, before it was normalised.
    signal_key, target_key : str
        Names of the arrays in the folder's ``volumes``.
    folder : pathlib.Path
        The prepared folder; not part of the index.
    """

    task: str
    split: str
    name: str
    shape: tuple[int, int, int]
    target_statistics: tuple[float, float]
    signal_key: str
    target_key: str
    folder: Path = field(default=Path(), compare=False)

    def signal(self, box: Box) -> NDArray[np.float32]:
        """Read a crop of the normalised transmitted light, and only that crop.

        Parameters
        ----------
        box : tuple of three slices
            Along z, y and x, without steps; what lies outside the stack is cut off.

        Returns
        -------
        numpy.ndarray
            float32 (Z, Y, X).
        """
        return _read(volume_path(self.folder, self.signal_key), box)

    def target(self, box: Box) -> NDArray[np.float32]:
        """Read a crop of the normalised structure, as `signal` does."""
        return _read(volume_path(self.folder, self.target_key), box)


class PreparedVolumes:
    """What ``napari-ssp data prepare structures`` wrote.

    Opening reads the index only, and a pair reads the crops it is asked for; both can be sent to
    other processes.

    Parameters
    ----------
    folder : path-like
        The prepared folder.

    Attributes
    ----------
    pairs : tuple of PreparedPair
        All pairs, by task, split and the order of the split.
    settings : dict
        How the stacks were prepared.

    Raises
    ------
    FileNotFoundError
        If the folder was not prepared to the end, or arrays are missing from it.
    ValueError
        If the index cannot be read.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.settings, self.pairs = read_index(self.folder)
        _check_arrays(self.folder, self.pairs)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the structures, sorted."""
        return tuple(sorted({pair.task for pair in self.pairs}))

    def split(self, name: str) -> list[PreparedPair]:
        """Pairs of ``"train"``, ``"val"`` or ``"test"``.

        Raises
        ------
        ValueError
            If there is no split of that name.
        """
        if name not in SPLITS:
            raise ValueError(f"There is no split '{name}'. Choose one of {', '.join(SPLITS)}.")
        return [pair for pair in self.pairs if pair.split == name]


def volume_path(folder: Path, key: str) -> Path:
    """Place of one array of a prepared folder."""
    return folder / "volumes" / f"{key}.zarr"


def write_volume(
    folder: Path, key: str, values: NDArray[np.float32], dtype: str, attributes: dict[str, Any]
) -> Path:
    """Write one prepared stack, as a whole or not at all.

    Parameters
    ----------
    folder : pathlib.Path
        The prepared folder.
    key : str
        Name of the array.
    values : numpy.ndarray
        (Z, Y, X).
    dtype : str
        Stored type, ``"float16"`` or ``"float32"``.
    attributes : dict
        Stored with the array; JSON values.

    Returns
    -------
    pathlib.Path
        The array. If writing fails or is interrupted, nothing is there.
    """
    import zarr

    final = volume_path(folder, key)
    final.parent.mkdir(parents=True, exist_ok=True)
    chunks = tuple(min(n, c) for n, c in zip(values.shape, CHUNK, strict=True))
    shards = tuple(-(-n // c) * c for n, c in zip(values.shape, chunks, strict=True))
    with atomic_folder(final, overwrite=True) as temporary:
        array = zarr.create_array(
            temporary, shape=values.shape, dtype=dtype, chunks=chunks, shards=shards
        )
        array[...] = values.astype(dtype)
        array.attrs.update(attributes)
    return final


def volume_attributes(folder: Path, key: str) -> dict[str, Any]:
    """Read what was stored with an array, and its ``shape``."""
    import zarr

    array = zarr.open_array(volume_path(folder, key), mode="r")
    return {**dict(array.attrs), "shape": tuple(array.shape)}


def write_index(folder: Path, settings: dict[str, Any], pairs: Iterable[PreparedPair]) -> None:
    """Write the index, which makes the folder readable; the arrays must be there."""
    rows = [{k: v for k, v in asdict(pair).items() if k != "folder"} for pair in pairs]
    content = {"version": INDEX_VERSION, "settings": settings, "pairs": rows}
    write_text(folder / INDEX_FILE, json.dumps(content, indent=1) + "\n")


def read_index(folder: Path) -> tuple[dict[str, Any], tuple[PreparedPair, ...]]:
    """Read the settings and pairs of a prepared folder.

    Raises
    ------
    FileNotFoundError
        If there is no index.
    ValueError
        If it cannot be read.
    """
    path = folder / INDEX_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no {INDEX_FILE}: it was not prepared, or not to the end. Run "
            "'napari-ssp data prepare structures' with it as the output; it goes on from there."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != INDEX_VERSION:
            raise ValueError(
                f"it has version {content['version']}, this program reads {INDEX_VERSION}"
            )
        names = {item.name for item in fields(PreparedPair)}
        rows = [{k: _tuple(v) for k, v in row.items() if k in names} for row in content["pairs"]]
        return content["settings"], tuple(PreparedPair(**row, folder=folder) for row in rows)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read: {error}. Prepare the data again.") from error


def _read(path: Path, box: Box) -> NDArray[np.float32]:
    import zarr

    array = zarr.open_array(path, mode="r")
    return np.asarray(array[tuple(box)], np.float32)


def _check_arrays(folder: Path, pairs: Iterable[PreparedPair]) -> None:
    keys = {key for pair in pairs for key in (pair.signal_key, pair.target_key)}
    missing = sorted(key for key in keys if not volume_path(folder, key).is_dir())
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(keys)} arrays are missing from {folder / 'volumes'}, e.g. "
            f"{missing[0]}.zarr. Run 'napari-ssp data prepare structures' again to make these."
        )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
