"""Files of a collection: opened before any work starts, so that all faults show at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.datasets.tables import Problems, locate
from napari_ssp.io import read_image
from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from napari_ssp.datasets.splits import StackRow
    from napari_ssp.image import MicroscopyImage, VoxelSize

_SAMPLED_BYTES = 2**20
_SAME_VOXELS = 0.02


@dataclass
class CheckedFiles:
    """What is known of the files after a look at each.

    Attributes
    ----------
    places : dict
        Where the file of a row's path is.
    prints : dict
        Its fingerprint.
    broken : set of StackRow
        Rows that cannot be used.
    voxel_sizes : list of tuple
        µm along z, y and x, of the files that say so.
    doubts : list of str
        What reading their headers gave reason to doubt.
    """

    places: dict[str, Path] = field(default_factory=dict)
    prints: dict[str, str] = field(default_factory=dict)
    broken: set[StackRow] = field(default_factory=set)
    voxel_sizes: list[VoxelSize] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def voxel_size(self) -> VoxelSize | None:
        """Voxel size of all files, or None where they differ or nobody knows."""
        sizes = np.array(self.voxel_sizes)
        if not sizes.size or np.any(np.ptp(sizes, axis=0) > _SAME_VOXELS * sizes.min(axis=0)):
            return None
        z, y, x = np.median(sizes, axis=0).tolist()
        return z, y, x


def check_files(
    rows: Iterable[StackRow], roots: Sequence[Path], problems: Problems
) -> Steps[CheckedFiles]:
    """Open every file once and look whether it has the channels; pixels are not read.

    Parameters
    ----------
    rows : iterable of StackRow
        Rows of all tables.
    roots : sequence of pathlib.Path
        Folders that the rows' paths start from.
    problems : Problems
        Takes what is wrong.

    Yields
    ------
    Progress
        After every row.

    Returns
    -------
    CheckedFiles
    """
    checked = CheckedFiles()
    ordered = sorted(set(rows), key=lambda row: (row.path, row.signal, row.target))
    last = ""
    image: MicroscopyImage | str = ""
    for done, row in enumerate(ordered, 1):
        if row.path != last:
            last, image = row.path, _opened(row.path, roots, checked)
        complaint = _complaint(image, row)
        if complaint:
            problems.add(f"{row.path}: {complaint}")
            checked.broken.add(row)
        yield Progress("checking files", done, len(ordered))
    return checked


def _opened(row_path: str, roots: Sequence[Path], checked: CheckedFiles) -> MicroscopyImage | str:
    """Image of a row, or what is wrong with it."""
    place = locate(row_path, roots)
    if place is None:
        return f"not found in {', '.join(str(root.resolve()) for root in roots)}"
    try:
        image = read_image(place)
        checked.prints[row_path] = fingerprint(place)
    except (OSError, ValueError, TypeError) as error:
        return str(error)
    checked.places[row_path] = place
    checked.doubts += [line for line in image.warnings if line not in checked.doubts]
    if image.voxel_size is not None:
        checked.voxel_sizes.append(image.voxel_size)
    return image


def _complaint(image: MicroscopyImage | str, row: StackRow) -> str:
    if isinstance(image, str):
        return image
    if image.rgb or image.sizes.get("z", 1) < 2:
        return f"no stack along z (axes '{image.axes}', shape {image.shape})"
    beyond = [c for c in (row.signal, row.target) if c >= image.num_channels]
    if beyond:
        return f"channel {beyond[0]} is asked for, but it has {image.num_channels} (from 0)"
    return ""


def fingerprint(path: Path) -> str:
    """Digest of a file's size, beginning and end; of a folder, of its files' names and sizes."""
    digest = hashlib.sha256()
    if path.is_dir():
        for part in sorted(path.rglob("*")):
            if part.is_file():
                digest.update(f"{part.relative_to(path)} {part.stat().st_size};".encode())
        return digest.hexdigest()
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_SAMPLED_BYTES))
        file.seek(max(0, size - _SAMPLED_BYTES))
        digest.update(file.read(_SAMPLED_BYTES))
    return digest.hexdigest()
