"""Tracking, step by step: objects, links, tracks, and labels with the numbers of tracks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_ssp.engine.store import ArrayStore
from napari_ssp.labels import check_label_type
from napari_ssp.measure.objects import read_objects
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.measuring import digest_labels, digest_objects
from napari_ssp.service.tracking.lineage import trace
from napari_ssp.service.tracking.linking import check_linking, find_links
from napari_ssp.service.tracking.objects import Objects, find_objects
from napari_ssp.service.tracking.requests import TrackRequest, Tracks

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.measure import Table


def track_steps(request: TrackRequest) -> Steps[Tracks]:
    """Follow the objects of a label movie.

    Yields
    ------
    Progress
        Between two frames; the linking by laptrack is one step.

    Returns
    -------
    Tracks

    Raises
    ------
    ModuleNotFoundError
        If the linking needs a library that is not installed.
    TypeError, ValueError
        If these are no labels, or have no time.
    """
    check_movie(request.labels)
    check_linking(request.linking)
    yield Progress("looking at the labels")
    source = digest_objects(request.labels)  # they may be edited from now on
    objects = yield from find_objects(request.labels)
    links = yield from find_links(request, objects)
    tracks, parents = trace(len(objects.frame), links)
    labels = yield from _relabel(request.labels, tracks, objects.begins)
    yield Progress("looking at the labels")
    table = _table(labels, objects, tracks, parents)
    return Tracks(labels, table, digest_labels(labels), source)


def check_movie(labels: MicroscopyImage) -> None:
    """Refuse labels that cannot be followed over time, before pixels are read.

    Raises
    ------
    TypeError, ValueError
        If they are no labels, have channels, or no time.
    """
    check_label_type(labels.dtype)
    if labels.sizes.get("t", 1) < 2:
        raise ValueError(
            f"'{labels.name}' has no time points to follow objects through (axes '{labels.axes}', "
            f"shape {labels.shape}). If one of its axes is time, call it t: --axes in a command, "
            "layer.axis_labels in napari."
        )
    if labels.sizes.get("c", 1) > 1:
        raise ValueError(
            f"'{labels.name}' has {labels.sizes['c']} channels, but objects are followed in one. "
            "Give each channel alone."
        )


def _relabel(
    labels: MicroscopyImage, tracks: npt.NDArray[np.int64], begins: npt.NDArray[np.int64]
) -> Steps[MicroscopyImage]:
    """Give each object the number of its track."""
    axes = "".join(axis for axis in "tzyx" if axis in labels.axes)
    store = ArrayStore(tuple(labels.sizes[axis] for axis in axes), np.uint32)
    for frame in range(store.shape[0]):
        yield Progress("numbering tracks", frame, store.shape[0])
        numbers = read_objects(labels, {"t": frame})[1]
        table = np.append(0, tracks[begins[frame] : begins[frame + 1]]).astype(np.uint32)
        store.write((slice(frame, frame + 1),), table[numbers].reshape(1, *store.shape[1:]))
    return replace(labels, data=store.array(editable=True), axes=axes, levels=(), rgb=False)


def _table(
    labels: MicroscopyImage,
    objects: Objects,
    tracks: npt.NDArray[np.int64],
    parents: npt.NDArray[np.int64],
) -> Table:
    """One row per object, named and placed as `measure_objects` does it."""
    order = np.lexsort((objects.frame, tracks))
    dimensions = objects.centre.shape[1]
    axes, first = "zyx"[-dimensions:], labels.origin[-dimensions:]
    step = np.array((labels.voxel_size or (1.0, 1.0, 1.0))[-dimensions:])
    unit = "px" if labels.voxel_size is None else "um"
    size = f"area_{unit}2" if dimensions == 2 else f"volume_{unit}3"
    places = objects.centre[order] + first
    table: Table = {
        "track": tracks[order],
        "parent": parents[order],
        "t": objects.frame[order] + labels.origin[0],
        "label": objects.label[order],
        size: objects.size[order] * step.prod(),
    }
    if unit == "um":
        table |= {f"centroid_{a}_um": places[:, i] * step[i] for i, a in enumerate(axes)}
    return table | {f"centroid_{a}_px": places[:, i] for i, a in enumerate(axes)}
