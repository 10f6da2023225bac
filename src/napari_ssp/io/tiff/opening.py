"""Opening of TIFF files by what they hold: tifffile tells some kinds by their name alone."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import tifffile

from napari_ssp.io.tiff.claims import check_claims

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

_NDPI_HEADER = struct.Struct("<2sHQ")
_CLASSIC = 42
_NDPI_TAG = 65420
_ENTRY_BYTES = 12


@contextmanager
def open_tiff(
    path: str | os.PathLike[str], omexml: str | None = None
) -> Iterator[tuple[Any, Element | None]]:
    """Open a TIFF file of any kind.

    Parameters
    ----------
    path : path-like
        The file; its name does not count.
    omexml : str, optional
        A description to use in place of its own.

    Yields
    ------
    tif : tifffile.TiffFile
        Closed in the end.
    root : xml.etree.ElementTree.Element or None
        Its OME-XML; None where it has none, or it is damaged.

    Raises
    ------
    tifffile.TiffFileError
        If it is no TIFF.
    OSError
        If it cannot be read, or its metadata are dangerous to follow.
    """
    with open(path, "rb") as file:
        ndpi = _is_ndpi(file)
    # MetaMorph leaves fractions of nothing, 0/0, in its tags.
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        tifffile.TiffFile(path, is_ndpi=ndpi, omexml=omexml) as tif,
    ):
        yield tif, check_claims(tif, Path(path))


def _is_ndpi(file: BinaryIO) -> bool:
    """Whether places in the file are 64 bits long, though its header is that of a classic TIFF."""
    try:
        order, version, first = _NDPI_HEADER.unpack(file.read(_NDPI_HEADER.size))
        if order != b"II" or version != _CLASSIC:
            return False
        file.seek(first)
        (count,) = struct.unpack("<H", file.read(2))
        entries = file.read(count * _ENTRY_BYTES)
    except (struct.error, OSError, OverflowError):
        return False
    starts = range(0, len(entries) - _ENTRY_BYTES + 1, _ENTRY_BYTES)
    return any(struct.unpack_from("<H", entries, start)[0] == _NDPI_TAG for start in starts)
