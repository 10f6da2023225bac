"""The notebooks as a page of the site: run cell by cell, with what they print and draw."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NAMES = ("segment_and_measure", "predict_structures", "fine_tune")
_HEAD = """# Notebooks

They lie in `notebooks/` of the repository. What they printed and drew is below each cell."""


def page(pictures: Path) -> str:
    """Run all notebooks in one process and write them down.

    Parameters
    ----------
    pictures : pathlib.Path
        Folder for what they draw; it lies beside the page.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, NAPARI_SSP_CACHE=folder),
    ):
        parts = [part for name in NAMES for part in _parts(name, pictures)]
    return "\n\n".join([_HEAD, *parts]) + "\n"


def _parts(name: str, pictures: Path) -> Iterator[str]:
    names: dict[str, Any] = {}
    for number, cell in enumerate(
        json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))["cells"]
    ):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield re.sub("(?m)^#", "##", source)
            continue
        yield f"```python\n{source}\n```"
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(source, f"{name}.ipynb", "exec"), names)  # our own notebooks
        if printed.getvalue():
            yield f"```text\n{printed.getvalue().rstrip()}\n```"
        yield from _drawn(pictures / f"{name}-{number}.png")


def _drawn(path: Path) -> Iterator[str]:
    import matplotlib.pyplot as plt

    if plt.get_fignums():
        plt.savefig(path, bbox_inches="tight")
        plt.close("all")
        yield f"![What the cell drew]({path.parent.name}/{path.name})"
