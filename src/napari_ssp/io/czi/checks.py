"""Check for a CZI that was cut off, which would otherwise be noticed plane by plane."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO

from napari_ssp.io.errors import damage_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: How every CZI begins.
CZI_START = b"ZISRAWFILE"

# Each part of the file begins with its name, its room and its length.
_SEGMENT = struct.Struct("<16sqq")
_HEADER = struct.Struct("<48xiqqiq")
_DIRECTORY = struct.Struct("<i124x")
_ENTRY = struct.Struct("<2siqi10xi")
_DIMENSION_BYTES = 20


def check_complete(path: Path) -> None:
    """Refuse a file that refers to parts beyond its end, or in other files.

    Parameters
    ----------
    path : pathlib.Path
        A file that begins with `CZI_START`.

    Raises
    ------
    OSError
        If it was cut off.
    ValueError
        If the pixels are spread over several files.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            needed = _end(file, path)
    except (struct.error, OverflowError) as error:
        raise damage_error(path, "its table of contents is not complete") from error
    if needed > size:
        raise damage_error(path, f"it refers to byte {needed}")


def _end(file: BinaryIO, path: Path) -> int:
    file.seek(_SEGMENT.size)
    own_part, directory, metadata, _, _ = _read(file, _HEADER)
    entries = list(_entries(file, directory))
    if any(part != own_part for _, part in entries):
        raise ValueError(
            f"'{path}' is one of several files that hold an image together, which cannot be read. "
            "Save it as one CZI or as an OME-TIFF from ZEN."
        )
    last = max((position for position, _ in entries), default=0)
    return max(_segment_end(file, position) for position in (directory, metadata, last))


def _entries(file: BinaryIO, directory: int) -> Iterator[tuple[int, int]]:
    """Place of each block of pixels, and number of the file that holds it."""
    file.seek(directory + _SEGMENT.size)
    (count,) = _read(file, _DIRECTORY)
    for _ in range(count):
        schema, _, position, part, dimensions = _read(file, _ENTRY)
        if schema != b"DV":
            return
        yield position, part
        file.seek(dimensions * _DIMENSION_BYTES, 1)


def _segment_end(file: BinaryIO, position: int) -> int:
    file.seek(position)
    _, _, used = _read(file, _SEGMENT)
    return int(position + _SEGMENT.size + used)


def _read(file: BinaryIO, layout: struct.Struct) -> tuple[Any, ...]:
    return layout.unpack(file.read(layout.size))
