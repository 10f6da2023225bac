"""Names of the label images of cells, their nuclei and cytoplasm, by which they are told apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_ssp.cli.pairing import name_without_endings
from napari_ssp.io import LABEL_ENDINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_ssp.io import ImageSource

#: Label images of one field: "a_cells_label.tiff", or "cells" in an OME-Zarr.
COMPARTMENTS = ("cells", "nuclei", "cytoplasm")


def split_compartment(source: ImageSource) -> tuple[str, str]:
    """Name of what labels are of, and which part of the cells they are; "" where none is named."""
    name = name_without_endings(source, LABEL_ENDINGS)
    for part in COMPARTMENTS:
        stem = name.removesuffix(part)
        if stem != name and stem[:-1] and stem[-1] in " _":
            return stem[:-1], part
    return name, ""


def choose_compartment(sources: Sequence[ImageSource], wanted: str) -> list[ImageSource]:
    """Label images of one part of the cells, by the names of what they are of.

    Parameters
    ----------
    sources : sequence of ImageSource
        Label images. Where none has the name of that part, those that name no part are taken; all,
        where there are no such ones either.
    wanted : str
        One of `COMPARTMENTS`.
    """
    found = [(source, *split_compartment(source)) for source in sources]
    named = wanted if any(part == wanted for _, _, part in found) else ""
    chosen = [(source, name) for source, name, part in found if part == named]
    return [replace(source, name=name) for source, name in chosen] or list(sources)
