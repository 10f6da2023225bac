"""Assignment of nuclei to cells in label arrays of any size, box by box."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_ssp.engine.plane import boxes
from napari_ssp.engine.store import ArrayStore
from napari_ssp.labels import PairCounts
from napari_ssp.measure.compartments import clip_nuclei, find_owners, without_nuclei
from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STAGE = "assigning nuclei to cells"


class Assigned(NamedTuple):
    """Nuclei and cytoplasm, as of `napari_ssp.service.compartments.requests.Compartments`.

    ``found`` and ``outside`` are how many nuclei there are, and how many of them have no cell.
    """

    nuclei: NDArray[np.uint32]
    cytoplasm: NDArray[np.uint32]
    found: int
    outside: int


def assign_steps(
    cells: NDArray[np.uint32], nuclei: NDArray[np.uint32], frames: int
) -> Steps[Assigned]:
    """Assign nuclei to cells frame by frame.

    Parameters
    ----------
    cells, nuclei : numpy.ndarray
        Uint32 (..., Y, X), of the same shape; mapped from files where they are large.
    frames : int
        How many parts, along the first axes, are looked at each by itself: an object of a movie
        may go from one cell into another one.

    Yields
    ------
    Progress
        In planes; each is gone through twice.
    """
    flat = [labels.reshape(-1, *labels.shape[-2:]) for labels in (cells, nuclei)]
    count = len(flat[0])
    clipped, cytoplasm = (ArrayStore(flat[0].shape, np.uint32) for _ in range(2))
    parts = list(boxes(flat[0].shape[1:]))
    found = outside = 0
    for frame in np.split(np.arange(count), frames):
        pairs = PairCounts()
        for k in frame:
            yield Progress(_STAGE, int(frame[0] + k), 2 * count)
            for part in parts:
                here, nucleus = (labels[(k, *part)] for labels in flat)
                pairs.add(nucleus[nucleus > 0], here[nucleus > 0])
        owners = find_owners(pairs)
        present = np.unique(pairs.table()[0])
        found, outside = found + present.size, outside + int((owners[present] == 0).sum())
        for k in frame:
            yield Progress(_STAGE, int(frame[-1] + 1 + k), 2 * count)
            for part in parts:
                here, nucleus = (labels[(k, *part)] for labels in flat)
                inside = clip_nuclei(here, nucleus, owners)
                clipped.write((k, *part), inside)
                cytoplasm.write((k, *part), without_nuclei(here, inside))
    own, rest = (store.array(editable=True).reshape(cells.shape) for store in (clipped, cytoplasm))
    return Assigned(own, rest, found, outside)
