"""A colour for each structure, the same in every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# What people are used to, by a part of the structure's name; the first that fits counts.
_USUAL = {
    "lamin": "magenta",
    "envelope": "magenta",
    "nucleol": "yellow",
    "fibrillarin": "yellow",
    "dna": "bop blue",
    "dapi": "bop blue",
    "hoechst": "bop blue",
    "nucle": "bop blue",
    "membrane": "red",
    "caax": "red",
    "tubul": "green",
    "map2": "green",
    "actin": "bop orange",
    "tom20": "cyan",
    "mito": "cyan",
    "sec61": "bop purple",
    "reticulum": "bop purple",
}
_SPARE = (
    "cyan",
    "green",
    "magenta",
    "yellow",
    "bop orange",
    "bop purple",
    "red",
    "bop blue",
    "springgreen",
    "hotpink",
    "tan",
    "slateblue",
)


def structure_colours(tasks: Sequence[str]) -> dict[str, str]:
    """Colormap of each of a model's structures: the usual one, and no two the same.

    Parameters
    ----------
    tasks : sequence of str
        All structures that a model knows, so that the colours do not depend on what is chosen.

    Returns
    -------
    dict of str to str
        Names of napari's colormaps or of colours; they repeat beyond twelve structures.
    """
    found: dict[str, str] = {}
    for name in tasks:
        usual = next((colour for part, colour in _USUAL.items() if part in name.lower()), None)
        if usual is not None and usual not in found.values():
            found[name] = usual
    for index, name in enumerate(tasks):
        free = [colour for colour in _SPARE if colour not in found.values()]
        found.setdefault(name, free[0] if free else _SPARE[index % len(_SPARE)])
    return found
