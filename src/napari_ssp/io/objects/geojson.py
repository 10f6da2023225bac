"""Writer of outlines as GeoJSON, as QuPath imports them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_ssp.atomic import atomic_path
from napari_ssp.io.objects.outlines import outline_planes

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from napari_ssp.io.objects.outlines import Outline, Ring

    Measurements = dict[tuple[int, ...], dict[str, float]]

ObjectType = Literal["detection", "annotation"]
OBJECT_TYPES: tuple[ObjectType, ...] = ("detection", "annotation")
_KEYS = ("label", "t", "z")


def write_geojson(
    path: str | os.PathLike[str],
    labels: Any,
    *,
    axes: str | None = None,
    object_type: ObjectType = "detection",
    measurements: Mapping[str, npt.NDArray[Any]] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the outlines of all objects as a GeoJSON FeatureCollection for QuPath.

    Outlines follow the edges of the pixels, so that QuPath finds the same pixels inside.
    Coordinates are pixels of the full image, (0, 0) is the upper left corner of the first one. An
    object is a feature per plane: a Polygon with its holes, or a MultiPolygon. Its name is its
    number, and in a stack its geometry has QuPath's "plane".

    Parameters
    ----------
    path : path-like
        The file, e.g. ending with ".geojson".
    labels : MicroscopyImage or array of int
        Label image, 0 is background; read plane by plane. A MicroscopyImage may be a part of the
        full image, as its origin says.
    axes : str, optional
        One letter of "tzyx" per axis of an array; "yx" when not given.
    object_type : {"detection", "annotation"}
        What QuPath makes of the objects: detections are light and meant for many cells,
        annotations can be edited.
    measurements : mapping of columns, optional
        A table as `measure_objects` returns it. Rows are found by the column "label", and by "t"
        and "z" where the table has them; numbers that are not finite are left out.
    overwrite : bool
        Replace a file of that name.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FileExistsError, FileNotFoundError, IsADirectoryError, OSError
        As `atomic_path`.
    TypeError
        If the labels are no integers.
    ValueError
        If a label is negative, the axes do not fit, or the object type is not known.
    """
    if object_type not in OBJECT_TYPES:
        raise ValueError(f"The object type is '{object_type}'; use {' or '.join(OBJECT_TYPES)}.")
    with atomic_path(path, overwrite) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        separator = "\n"
        for feature in _features(labels, axes, object_type, measurements or {}):
            file.write(separator + json.dumps(feature, allow_nan=False, separators=(",", ":")))
            separator = ",\n"
        file.write("\n]}\n")
    return Path(path)


def _features(
    labels: Any, axes: str | None, object_type: str, table: Mapping[str, npt.NDArray[Any]]
) -> Iterator[dict[str, Any]]:
    keys = [name for name in _KEYS if name in table]
    rows = _rows(table, keys)
    for place, outlines in outline_planes(labels, axes):
        for outline in outlines:
            where = {"label": outline.label, **place}
            properties: dict[str, Any] = {"objectType": object_type, "name": str(outline.label)}
            measured = rows.get(tuple(where.get(key, 0) for key in keys))
            if measured:
                properties["measurements"] = measured
            geometry = _geometry(outline)
            if place:
                # Channel -1 means all of them.
                geometry["plane"] = {"c": -1, "z": place.get("z", 0), "t": place.get("t", 0)}
            yield {"type": "Feature", "geometry": geometry, "properties": properties}


def _rows(table: Mapping[str, npt.NDArray[Any]], keys: list[str]) -> Measurements:
    if "label" not in keys:
        return {}
    names = [name for name in table if name not in keys]
    columns = [table[name].tolist() for name in names]
    wheres = zip(*(table[key].tolist() for key in keys), strict=True)
    rows = zip(*columns, strict=True)
    return {
        where: {name: value for name, value in zip(names, row, strict=True) if math.isfinite(value)}
        for where, row in zip(wheres, rows, strict=True)
    }


def _geometry(outline: Outline) -> dict[str, Any]:
    polygons = [[_closed(ring) for ring in polygon] for polygon in outline.polygons]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _closed(ring: Ring) -> list[list[int]]:
    points: list[list[int]] = ring[:, ::-1].tolist()
    return [*points, points[0]]
