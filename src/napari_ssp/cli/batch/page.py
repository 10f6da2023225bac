"""The page of a batch: one HTML file that needs no other and runs nothing."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: How each page begins, by which an earlier one is known again.
PAGE_START = '<!doctype html>\n<html lang="en">\n<title>napari-ssp: report of a batch</title>\n'
_HEAD = """<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
body { font: 14px system-ui, sans-serif; margin: 2em; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid #ccc; padding: 6px 10px; text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.failed { background: #fde8e8; }
tr.waiting { color: #777; }
img { width: 160px; image-rendering: pixelated; }
</style>
"""
_NUMBERS = ("objects", "seconds")


def make_page(rows: Sequence[Mapping[str, Any]], pictures: Mapping[int, bytes]) -> str:
    """Make the page.

    Parameters
    ----------
    rows : sequence of mapping
        One per image, with the same keys; the key "state" is one of "done", "failed", "waiting"
        and "done before".
    pictures : mapping of int to bytes
        PNGs by the number of their row.
    """
    names = list(rows[0])
    heads = "".join(f"<th>{escape(name)}</th>" for name in ("picture", *names))
    lines = [_line(row, pictures.get(number)) for number, row in enumerate(rows)]
    table = f"<table>\n<tr>{heads}</tr>\n{''.join(lines)}</table>\n"
    return f"{PAGE_START}{_HEAD}<h1>{escape(_summary(rows))}</h1>\n{table}</html>\n"


def _summary(rows: Sequence[Mapping[str, Any]]) -> str:
    states = [row["state"] for row in rows]
    counts = {name: states.count(name) for name in ("failed", "waiting", "done before")}
    found = sum(int(row["objects"] or 0) for row in rows)
    words = [
        "1 image" if len(rows) == 1 else f"{len(rows)} images",
        *(f"{n} {name}" for name, n in counts.items() if n),
    ]
    return ", ".join([*words, *([f"{found} objects"] if found else [])])


def _line(row: Mapping[str, Any], picture: bytes | None) -> str:
    text = b64encode(picture or b"").decode()
    shown = f'<img alt="" src="data:image/png;base64,{text}">' if picture else ""
    cells = [f"<td>{shown}</td>"]
    for name, value in row.items():
        kind = ' class="number"' if name in _NUMBERS else ""
        words = "<br>".join(escape(line) for line in str(value).split("\n"))
        cells.append(f"<td{kind}>{words}</td>")
    return f'<tr class="{escape(row["state"])}">{"".join(cells)}</tr>\n'
