"""Compartments of cells: which nuclei belong to which cell, and sizes and intensities of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssp.labels import PairCounts, number_labels

if TYPE_CHECKING:
    from napari_ssp.image import VoxelSize

    Columns = dict[str, npt.NDArray[Any]]
    Numbers = npt.NDArray[np.int32]

NUCLEUS, CYTOPLASM = "nucleus", "cytoplasm"


def find_owners(pairs: PairCounts) -> npt.NDArray[np.uint32]:
    """Find the cell that each nucleus belongs to.

    Parameters
    ----------
    pairs : PairCounts
        Of nuclei (first) and cells (second), over all pixels of the nuclei.

    Returns
    -------
    numpy.ndarray
        Uint32: at the id of a nucleus the id of the cell that holds most of it, of several the
        lowest; 0 where the larger part of the nucleus lies outside every cell.
    """
    nuclei, cells, pixels = pairs.table()
    owners = np.zeros(nuclei.max(initial=0) + 1, np.uint32)
    # The last one counts where a nucleus occurs several times.
    order = np.lexsort((-cells, pixels))
    order = order[(cells[order] > 0) & (nuclei[order] > 0)]
    owners[nuclei[order]] = cells[order]
    outside = cells == 0
    whole = np.bincount(nuclei, pixels, owners.size)
    owners[2 * np.bincount(nuclei[outside], pixels[outside], owners.size) > whole] = 0
    return owners


def clip_nuclei(
    cells: npt.NDArray[Any], nuclei: npt.NDArray[Any], owners: npt.NDArray[np.uint32]
) -> npt.NDArray[np.uint32]:
    """Give nuclei the numbers of their cells, and cut off what lies outside of these.

    Parameters
    ----------
    cells, nuclei : numpy.ndarray
        Labels of the same shape.
    owners : numpy.ndarray
        As `find_owners` gives them.
    """
    owned = owners[nuclei]
    return np.where(owned == cells, owned, np.uint32(0))


def without_nuclei(
    cells: npt.NDArray[Any], clipped: npt.NDArray[np.uint32]
) -> npt.NDArray[np.uint32]:
    """Cytoplasm: the pixels of the cells that are of none of their own nuclei."""
    return np.where(clipped > 0, np.uint32(0), cells)


@dataclass(frozen=True, eq=False)
class NucleiOfCells:
    """Nuclei of the cells of one plane or stack.

    Attributes
    ----------
    numbers : numpy.ndarray
        Int32, the number of the cell in the pixels of its nuclei, else 0.
    counts : numpy.ndarray
        How many nuclei a cell has, at its number; 0 stands at number 0.
    """

    numbers: Numbers
    counts: npt.NDArray[np.intp]

    @classmethod
    def find(cls, cell_ids: npt.NDArray[Any], cells: Numbers, nuclei: Any) -> NucleiOfCells:
        """Find them.

        Parameters
        ----------
        cell_ids, cells : numpy.ndarray
            Ids of the cells, and their numbers in the pixels, as `number_labels` gives them.
        nuclei : numpy.ndarray
            Labels of the nuclei, of the same shape; 0 is background.
        """
        ids, numbers = number_labels(nuclei)
        pairs, inside = PairCounts(), numbers > 0
        pairs.add(numbers[inside], cells[inside])
        owners = find_owners(pairs)
        clipped = clip_nuclei(cells, numbers, owners).astype(np.int32)
        known: npt.NDArray[Any] = np.flatnonzero(owners)
        if np.array_equal(cell_ids[owners[known] - 1], ids[known - 1]):  # they were assigned before
            known = _of_parts(numbers)
        counts = np.bincount(owners[known], minlength=cell_ids.size + 1)
        counts[0] = 0
        return cls(clipped, counts)

    def part(self, first: int, count: int) -> NucleiOfCells:
        """Those of some cells only, numbered from 1."""
        numbers = self.numbers - np.int32(first)
        is_part = (numbers > 0) & (numbers <= count)
        counts = np.append(0, self.counts[first + 1 : first + count + 1])
        return NucleiOfCells(np.where(is_part, numbers, np.int32(0)), counts)


def sizes(cells: Numbers, nuclei: NucleiOfCells, voxel_size: VoxelSize | None) -> Columns:
    """Measure how many nuclei cells have, and how large nuclei and cytoplasm are.

    Parameters
    ----------
    cells : numpy.ndarray
        Int32, (Y, X) or (Z, Y, X), cells numbered from 1 without gaps.
    nuclei : NucleiOfCells
        Their nuclei.
    voxel_size : three floats or None
        µm along z, y and x.

    Returns
    -------
    dict of str to numpy.ndarray
        Columns as `measure_objects` names them.
    """
    noun = "area" if cells.ndim == 2 else "volume"
    unit = f"{'px' if voxel_size is None else 'um'}{cells.ndim}"
    size = 1.0 if voxel_size is None else math.prod(voxel_size[-cells.ndim :])
    nucleus, cytoplasm = (counts * size for counts in _pixels(cells, nuclei))
    return {
        "num_nuclei": nuclei.counts[1:],
        f"{NUCLEUS}_{noun}_{unit}": nucleus,
        f"{CYTOPLASM}_{noun}_{unit}": cytoplasm,
        f"{NUCLEUS}_to_{CYTOPLASM}_{noun}": _ratio(_or_nan(nucleus), cytoplasm),
    }


def means(cells: Numbers, nuclei: NucleiOfCells, values: npt.NDArray[Any], name: str) -> Columns:
    """Measure mean intensities of nuclei and cytoplasm in one channel, and their ratio.

    Parameters
    ----------
    cells, nuclei
        As of `sizes`.
    values : numpy.ndarray
        Intensities, of the same shape.
    name : str
        What to call the channel.
    """
    of_nuclei = nuclei.numbers
    of_cytoplasm = np.where(of_nuclei > 0, np.int32(0), cells)
    count = nuclei.counts.size
    sums = (np.bincount(n.ravel(), values.ravel(), count)[1:] for n in (of_nuclei, of_cytoplasm))
    nucleus, cytoplasm = map(_ratio, sums, _pixels(cells, nuclei))
    return {
        f"{NUCLEUS}_mean_{name}": nucleus,
        f"{CYTOPLASM}_mean_{name}": cytoplasm,
        f"{NUCLEUS}_to_{CYTOPLASM}_mean_{name}": _ratio(nucleus, cytoplasm),
    }


def _pixels(cells: Numbers, nuclei: NucleiOfCells) -> tuple[npt.NDArray[np.intp], ...]:
    """Pixels of the nuclei, and of the cytoplasm, of each cell."""
    count = nuclei.counts.size
    whole, inside = (np.bincount(n.ravel(), minlength=count)[1:] for n in (cells, nuclei.numbers))
    return inside, whole - inside


def _of_parts(numbers: Numbers) -> Numbers:
    """Give the number of each separate part of the nuclei; 0 for the background."""
    from skimage.measure import label

    parts = label(numbers, connectivity=numbers.ndim)  # type: ignore[no-untyped-call]
    _, firsts = np.unique(parts, return_index=True)
    found: Numbers = numbers.ravel()[firsts]
    return found


def _ratio(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Quotients; nan where there is nothing to divide by."""
    found: npt.NDArray[np.float64] = one / _or_nan(other)
    return found


def _or_nan(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.where(values == 0, np.nan, values)
