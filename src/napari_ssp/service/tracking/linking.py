"""Links from the objects of a frame to those of a later one, by overlap, distance or number."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_ssp.flows.linking import Overlaps
from napari_ssp.io.errors import import_extra
from napari_ssp.measure.objects import read_objects
from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from napari_ssp.service.tracking.objects import Objects
    from napari_ssp.service.tracking.requests import TrackRequest

#: Rows of two objects each, (links, 2): earlier and later. A later one has one earlier at most.
Links = npt.NDArray[np.int64]


def check_linking(linking: str) -> None:
    """Refuse a linking whose library is not there, without the seconds that its import takes.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed.
    """
    if linking == "laptrack" and find_spec("laptrack") is None:
        _import_laptrack()


def find_links(request: TrackRequest, objects: Objects) -> Steps[Links]:
    """Link objects as a request asks for.

    Yields
    ------
    Progress
        Stage "linking".

    Returns
    -------
    numpy.ndarray
        Rows of objects, (links, 2).
    """
    if request.linking == "overlap":
        return (yield from _by_overlap(request, objects))
    yield Progress("linking")
    return _by_number(objects) if request.linking == "numbers" else _by_distance(request, objects)


def _by_overlap(request: TrackRequest, objects: Objects) -> Steps[Links]:
    frames = len(objects.begins) - 1
    links: list[Links] = [np.zeros((0, 2), np.int64)]
    before = read_objects(request.labels, {"t": 0})[1]
    for frame in range(1, frames):
        yield Progress("linking", frame, frames)
        after = read_objects(request.labels, {"t": frame})[1]
        overlaps = Overlaps()
        overlaps.add(before.view(np.uint32), after.view(np.uint32))
        pairs = _pairs(overlaps, request)
        links.append(pairs - 1 + objects.begins[frame - 1 : frame + 1])
        before = after
    return np.concatenate(links)


def _pairs(overlaps: Overlaps, request: TrackRequest) -> Links:
    """Numbers of linked objects in two frames; a division comes before all other links."""
    table = overlaps.links(request.link_overlap)
    for mother, *daughters in overlaps.divisions(request.link_overlap) if request.divisions else ():
        table[table == mother] = 0
        table[daughters] = mother
    after = np.flatnonzero(table)
    return np.stack([table[after], after], axis=1)


def _by_number(objects: Objects) -> Links:
    order = np.lexsort((objects.frame, objects.label))
    same = objects.label[order[1:]] == objects.label[order[:-1]]
    return np.stack([order[:-1][same], order[1:][same]], axis=1)


def _import_laptrack() -> Any:
    return import_extra("laptrack", "tracking", "linking by laptrack")


def _by_distance(request: TrackRequest, objects: Objects) -> Links:
    if len(objects.frame) == 0:  # which the library does not take
        return np.zeros((0, 2), np.int64)
    size = request.labels.voxel_size or (1.0, 1.0, 1.0)
    places = objects.centre * size[-objects.centre.shape[1] :]
    cutoff = request.max_distance**2  # its metric is the squared distance
    tracker = _import_laptrack().LapTrack(
        cutoff=cutoff,
        gap_closing_cutoff=cutoff if request.max_gap else False,
        gap_closing_max_frame_count=request.max_gap + 1,
        splitting_cutoff=cutoff if request.divisions else False,
    )
    graph = tracker.predict(np.split(places, objects.begins[1:-1]))
    found = [[objects.begins[t] + i for t, i in edge] for edge in graph.edges()]
    return np.array(found, np.int64).reshape(-1, 2)
