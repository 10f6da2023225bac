"""Wells and fields of an OME-Zarr plate, by the names that people give them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from napari_ssp.io.ngff.reading import is_readable_plate
from napari_ssp.io.scene import image_stem

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.io.scene import ImageSource


class PlatePlace(NamedTuple):
    """Where an image lies on a plate.

    Attributes
    ----------
    plate : str
        Name of the plate's file, without its suffix.
    well : str
        Row, and column in two digits: "B03".
    field : str
        As the plate names it: "0".
    """

    plate: str
    well: str
    field: str


def find_plate_place(source: ImageSource) -> PlatePlace | None:
    """Find where an image, or labels of one, lie on a plate; None where there is no plate.

    Parameters
    ----------
    source : ImageSource
        Of the plate, or of a well, a field or labels in it.
    """
    root = _find_root(source.path)
    if root is None or not _is_plate(root):
        return None
    place = (source.scene or "").partition(" ")[0]  # labels are called "B/3/0 cells"
    parts = (source.path.relative_to(root) / place).parts
    if len(parts) < 3:
        return None
    row, column, field = parts[:3]
    well = row + (column.zfill(2) if column.isdecimal() else column)
    return PlatePlace(image_stem(root), well, field)


def object_place(source: ImageSource) -> dict[str, str | None]:
    """Columns of a table of many images that say which one an object lies in."""
    known = find_plate_place(source)
    place = dict.fromkeys(PlatePlace._fields) if known is None else known._asdict()
    return {**place, "file": str(source.path), "scene": source.scene}


def _find_root(path: Path) -> Path | None:
    """Find the Zarr that a path leads into."""
    names = (path, *path.parents)
    return next((p for p in names if p.suffix.lower() in (".zarr", ".ozx", ".zip")), None)


@lru_cache(maxsize=16)
def _is_plate(path: Path) -> bool:
    """Whether a path is a plate, looked at once for all its fields."""
    return is_readable_plate(path)
