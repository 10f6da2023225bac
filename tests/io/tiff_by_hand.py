"""A TIFF writer of a few lines, for tags that tifffile reads but does not write."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BYTE, ASCII, SHORT, LONG, RATIONAL, DOUBLE = 1, 2, 3, 4, 5, 12
Tag = tuple[int, int, int, bytes]


def text(code: int, value: str) -> Tag:
    raw = value.encode() + b"\0"
    return (code, ASCII, len(raw), raw)


def longs(code: int, *values: int, kind: int = LONG, count: int | None = None) -> Tag:
    return (
        code,
        kind,
        len(values) if count is None else count,
        struct.pack(f"<{len(values)}I", *values),
    )


def rational(code: int, value: float) -> Tag:
    return (code, RATIONAL, 1, struct.pack("<2I", round(value * 1000), 1000))


def page_tags(pixels: np.ndarray, *, photometric: int = 1, reduced: bool = False) -> list[Tag]:
    """Tags of a page of grey values (Y, X) or (samples, Y, X), but for the place of its strips."""
    samples = 1 if pixels.ndim == 2 else pixels.shape[0]
    bits = pixels.dtype.itemsize * 8
    return [
        longs(254, int(reduced)),
        longs(256, pixels.shape[-1]),
        longs(257, pixels.shape[-2]),
        (258, SHORT, samples, struct.pack(f"<{samples}H", *[bits] * samples)),
        longs(259, 1),
        longs(262, photometric),
        longs(277, samples),
        longs(278, pixels.shape[-2]),
        longs(284, 2 if samples > 1 else 1),
    ]


def write_pages(
    path: Path,
    pages: Sequence[tuple[np.ndarray, Sequence[Tag]]],
    *,
    ndpi: bool = False,
    trailer: bytes = b"",
) -> int:
    """Write pages, each with its own tags after those of `page_tags`; strips are whole planes.

    With ``ndpi`` places take 64 bits as in Hamamatsu's files. Returns where the trailer begins.
    """
    body = bytearray(
        struct.pack("<2sHQ", b"II", 42, 0) if ndpi else struct.pack("<2sHI", b"II", 42, 0)
    )
    link = 4
    for pixels, tags in pages:
        strips = [pixels] if pixels.ndim == 2 else list(pixels)
        places = []
        for strip in strips:
            places.append(len(body))
            body += np.ascontiguousarray(strip).tobytes()
        tags = [*tags, longs(273, *places), longs(279, *[strip.nbytes for strip in strips])]
        body += bytes(len(body) % 2)
        entries = b""
        for code, kind, count, raw in sorted(tags):
            if len(raw) > 4:
                raw, place = b"", len(body)
                body += next(t[3] for t in tags if t[0] == code)
                body += bytes(len(body) % 2)
                entries += struct.pack("<HHII", code, kind, count, place)
            else:
                entries += struct.pack("<HHI", code, kind, count) + raw.ljust(4, b"\0")
        struct.pack_into("<Q" if ndpi else "<I", body, link, len(body))
        body += struct.pack("<H", len(tags)) + entries
        link = len(body)
        body += struct.pack("<Q", 0) + bytes(4 * len(tags)) if ndpi else struct.pack("<I", 0)
    path.write_bytes(bytes(body) + trailer)
    return len(body)


def append(path: Path, raw: bytes) -> int:
    """Append bytes; return where they begin."""
    with path.open("ab") as file:
        place = file.tell()
        file.write(raw)
    return place


def stack(*shape: int, dtype: Any = "u2") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)
