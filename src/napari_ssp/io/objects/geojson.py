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

ObjectType = Literal["detection", "annotation"]
OBJECT_TYPES: tuple[ObjectType, ...] = ("detection", "annotation")
_KEYS = ("label", "t", "z")
_CLASS = "class"


def write_geojson(
    path: str | os.PathLike[str],
    labels: Any,
    *,
    axes: str | None = None,
    object_type: ObjectType = "detection",
    measurements: Mapping[str, npt.NDArray[Any]] | None = None,
    class_colors: Mapping[str, str] | None = None,
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
        and "z" where the table has them; numbers that are not finite are left out, and so is text
        but for the column "class", which becomes QuPath's classification.
    class_colors : mapping of str to str, optional
        Color of each class as "#rrggbb"; QuPath chooses those that are not given.
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
    table = _Rows(measurements or {}, class_colors or {})
    with atomic_path(path, overwrite) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        separator = "\n"
        for feature in _features(labels, axes, object_type, table):
            file.write(separator + json.dumps(feature, allow_nan=False, separators=(",", ":")))
            separator = ",\n"
        file.write("\n]}\n")
    return Path(path)


def _features(
    labels: Any, axes: str | None, object_type: str, table: _Rows
) -> Iterator[dict[str, Any]]:
    for place, outlines in outline_planes(labels, axes):
        for outline in outlines:
            properties = {"objectType": object_type, "name": str(outline.label)}
            geometry = _geometry(outline)
            if place:
                # Channel -1 means all of them.
                geometry["plane"] = {"c": -1, "z": place.get("z", 0), "t": place.get("t", 0)}
            known = table.properties({"label": outline.label, **place})
            yield {"type": "Feature", "geometry": geometry, "properties": properties | known}


class _Rows:
    """Rows of a table by their objects, as properties of features."""

    def __init__(
        self, table: Mapping[str, npt.NDArray[Any]], class_colors: Mapping[str, str]
    ) -> None:
        self._keys = [name for name in _KEYS if name in table] if "label" in table else []
        self._colors = class_colors
        self._table = {name: column.tolist() for name, column in table.items()}
        self._numbers = [
            name
            for name, column in table.items()
            if name not in _KEYS and column.dtype.kind in "biuf"
        ]
        wheres = zip(*(self._table[key] for key in self._keys), strict=True)
        self._rows = {where: row for row, where in enumerate(wheres)}

    def properties(self, where: Mapping[str, int]) -> dict[str, Any]:
        """Measurements and classification of an object, as far as they are known."""
        row = self._rows.get(tuple(where.get(key, 0) for key in self._keys))
        if row is None:
            return {}
        values = {name: self._table[name][row] for name in self._numbers}
        measured = {name: value for name, value in values.items() if math.isfinite(value)}
        found: dict[str, Any] = {"measurements": measured} if measured else {}
        name = self._table[_CLASS][row] if _CLASS in self._table else ""
        if isinstance(name, str) and name:
            color = self._colors.get(name)
            found["classification"] = {"name": name} | ({"color": _rgb(color)} if color else {})
        return found


def _rgb(color: str) -> list[int]:
    """Red, green and blue from 0 to 255 of "#rrggbb"."""
    return list(bytes.fromhex(color.removeprefix("#")))


def _geometry(outline: Outline) -> dict[str, Any]:
    polygons = [[_closed(ring) for ring in polygon] for polygon in outline.polygons]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _closed(ring: Ring) -> list[list[int]]:
    points: list[list[int]] = ring[:, ::-1].tolist()
    return [*points, points[0]]
