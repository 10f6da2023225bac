"""Check for a TIFF that was cut off: tifffile would read on with fewer pages, unnoticed."""

from __future__ import annotations

import math
import os
import struct
from typing import TYPE_CHECKING, Any

from napari_ssp.io.errors import damage_error

if TYPE_CHECKING:
    from pathlib import Path

_IMAGE_DESCRIPTION = 270
_CLASSIC_ENTRY = 12


def check_complete(tif: Any, path: Path) -> None:
    """Refuse a file whose pages, pixels or description lie beyond its end.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    path : pathlib.Path
        Its path, for the message.

    Raises
    ------
    OSError
        If something lies beyond the end.
    """
    last = tif.pages[len(tif.pages) - 1]
    entries, next_page = _entries(tif, last.offset)
    first = entries if last.offset == tif.pages[0].offset else _entries(tif, tif.pages[0].offset)[0]
    needed = max(next_page, first.get(_IMAGE_DESCRIPTION, 0))
    if needed > tif.filehandle.size:
        raise damage_error(path, f"it refers to byte {needed}")
    for series in tif.series:
        for level in series.levels:
            _check_pixels(level, path)


def _check_pixels(series: Any, path: Path) -> None:
    for page in series.pages:
        if page is None or not len(page.dataoffsets):
            continue
        wanted = math.prod(series.keyframe.chunked)
        if min(len(page.dataoffsets), len(page.databytecounts)) < wanted:
            raise damage_error(
                path, f"page {page.index} names {len(page.dataoffsets)} of its {wanted} tiles"
            )
        handle = page.parent.filehandle
        size = os.path.getsize(handle.path) if handle.closed else handle.size
        end = max(map(sum, zip(page.dataoffsets, page.databytecounts, strict=False)))
        if series.dataoffset is not None:
            end = max(end, series.dataoffset + series.size * series.dtype.itemsize)
        if end > size:
            raise damage_error(path, f"its pixels should reach to byte {end}")


def _entries(tif: Any, offset: int) -> tuple[dict[int, int], int]:
    """Read where the tags of a page end, for those stored outside it, and the next page's place."""
    layout, handle = tif.tiff, tif.filehandle
    handle.seek(offset)
    (count,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    raw = handle.read(count * layout.tagsize)
    tail = handle.read(layout.offsetsize)
    (following,) = (
        struct.unpack(layout.offsetformat, tail) if len(tail) == layout.offsetsize else (0,)
    )
    # NDPI keeps 32 bits in its entries, though the places of its pages have 64.
    number = "I" if layout.tagsize == _CLASSIC_ENTRY else layout.offsetformat[-1]
    entry = struct.Struct(f"{layout.byteorder}HH{number}{number}")
    ends = {}
    for code, _, length, place in entry.iter_unpack(raw):
        # Only text is looked at: its length is in bytes.
        if code == _IMAGE_DESCRIPTION and length > struct.calcsize(number):
            ends[code] = place + length
    return ends, following
