"""A checkpoint in the words of RepMode's own program, kept without its weights.

The weights are the seeded ones of ``checkpoints.json`` and fill the file again.
"""

from __future__ import annotations

import io
import json
import lzma
import struct
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from seeded_weights import seeded_array

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE / "repmode_tiny.p.xz"
ENTRIES = json.loads((HERE / "checkpoints.json").read_text())["repmode"]["variants"]["1"]


def _weights(content: bytes) -> Iterator[tuple[slice, bytes]]:
    """Where each tensor of the network lies in the file, and its bytes."""
    with ZipFile(io.BytesIO(content)) as archive:
        for number, (key, shape, *_) in enumerate(ENTRIES):
            head = archive.getinfo(f"repmode_tiny/data/{number}").header_offset
            name, extra = struct.unpack("<HH", content[head + 26 : head + 30])
            start = head + 30 + name + extra
            values = seeded_array(key, shape, 0).tobytes()
            yield slice(start, start + len(values)), values


def blank_weights(content: bytes) -> bytes:
    """Return the file with zeros for the network's weights."""
    blank = bytearray(content)
    for place, values in _weights(content):
        assert content[place] == values
        blank[place] = bytes(len(values))
    return bytes(blank)


def write_checkpoint(path: Path) -> Path:
    """Write the whole file, with its weights."""
    content = bytearray(lzma.decompress(TEMPLATE.read_bytes()))
    for place, values in _weights(bytes(content)):
        content[place] = values
    path.write_bytes(content)
    return path
