"""Table of reviewed objects: predicted error, likely kind, size and place; the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_ssp.labels import known_labels, number_labels
from napari_ssp.metrics import ErrorKind
from napari_ssp.service.review.decisions import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_ssp.engine.criticism.prediction import ErrorPrediction

Columns = dict[str, Any]
#: Kinds of error that an object can have; a missed one is none of the labels.
_KINDS = (ErrorKind.EXTRA, ErrorKind.MERGED, ErrorKind.SPLIT, ErrorKind.BOUNDARY)


def tabulate(
    found: ErrorPrediction,
    labels: NDArray[Any],
    origin: Sequence[int],
    plane: Mapping[str, int],
) -> Columns:
    """Describe the objects of a plane.

    Parameters
    ----------
    found : ErrorPrediction
        What the critic says.
    labels : numpy.ndarray
        Whole numbers (Y, X) from -1 on.
    origin : sequence of int
        (y, x) of the first pixel in the full image.
    plane : mapping of str to int
        Position along "t" and "z" in the full image, where there are such axes.

    Returns
    -------
    dict of str to numpy.ndarray
        Columns as those of `Review.table`, in the order of the labels.
    """
    ids, numbers = number_labels(known_labels(labels))
    flat, count = numbers.ravel(), ids.size
    area = np.bincount(flat, minlength=count + 1)[1:]
    columns: Columns = {
        "label": ids.astype(np.uint64 if ids.dtype == np.uint64 else np.int64),
        **{axis: np.full(count, i) for axis, i in plane.items()},
        "predicted_error": np.asarray(found.objects["predicted_error"], np.float64),
        "likely": _likely_kinds(found.kinds, flat, count),
        "area_px2": area,
    }
    for i, axis in enumerate("yx"):
        steps: NDArray[Any] = np.indices(numbers.shape, sparse=True)[i]
        along: NDArray[Any] = np.broadcast_to(steps, numbers.shape)
        sums = np.bincount(flat, along.ravel(), minlength=count + 1)[1:]
        columns[f"centroid_{axis}_px"] = sums / area + origin[i]
    boxes = ndimage.find_objects(numbers)
    for i, axis in enumerate("yx"):
        ends = np.array([(box[i].start, box[i].stop) for box in boxes], np.int64).reshape(count, 2)
        columns[f"bbox_{axis}_start_px"] = ends[:, 0] + origin[i]
        columns[f"bbox_{axis}_stop_px"] = ends[:, 1] + origin[i]
    return columns


def join_planes(tables: Sequence[Columns]) -> Columns:
    """Table of all planes, the objects of highest predicted error first."""
    joined = {name: np.concatenate([one[name] for one in tables]) for name in tables[0]}
    order = np.argsort(-joined["predicted_error"], kind="stable")
    return {name: column[order] for name, column in joined.items()}


def wrong_first(table: Columns, classes: Mapping[ObjectKey, str]) -> Columns:
    """Put objects that a person's classes say are wrong before those that a critic doubts.

    Parameters
    ----------
    table : dict of str to numpy.ndarray
        As of `Review.table`.
    classes : mapping of ObjectKey to str
        Classes of the objects that are wrong; of a whole volume, its plane is 0.

    Returns
    -------
    dict of str to numpy.ndarray
        With the column "class", which is "" of the others; both parts have the worst first.
    """
    zeros = np.zeros(len(table["label"]), np.int64)
    places = (table["label"], *(table.get(axis, zeros) for axis in "tz"))
    names = [
        classes.get(ObjectKey(label, t, z)) or classes.get(ObjectKey(label, t), "")
        for label, t, z in zip(*(column.tolist() for column in places), strict=True)
    ]
    column = np.array(names, object)
    order = np.lexsort((-table["predicted_error"], column == ""))
    return {name: each[order] for name, each in {**table, "class": column}.items()}


def _likely_kinds(kinds: NDArray[np.float32], flat: NDArray[np.int32], count: int) -> NDArray[Any]:
    """Name of the kind of error that is likeliest over each object's pixels."""
    sums = [np.bincount(flat, kinds[kind].ravel(), minlength=count + 1)[1:] for kind in _KINDS]
    names = np.array([kind.name.lower() for kind in _KINDS])
    return np.asarray(names[np.argmax(sums, axis=0)] if count else names[:0])
