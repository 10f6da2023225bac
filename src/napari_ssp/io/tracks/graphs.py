"""Writer of tracks as a graph in the Graph Exchange File Format (GEFF)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import atomic_folder
from napari_ssp.io.errors import import_extra

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import numpy.typing as npt

#: End of the name of such a file, which is a folder.
GEFF_SUFFIX = ".geff"
_UNITS = {"um": "micrometer", "px": "pixel"}


def write_geff(
    path: str | os.PathLike[str],
    table: Mapping[str, npt.NDArray[Any]],
    overwrite: bool = False,
) -> Path:
    """Write tracks as a graph: one node per object and frame, edges from earlier to later.

    Parameters
    ----------
    path : path-like
        Name of the folder, ending with ".geff".
    table : mapping
        Columns as `napari_ssp.service.tracking.requests.Tracks` has them.
    overwrite : bool
        Replace a folder of that name that is a GEFF, or another Zarr.

    Returns
    -------
    pathlib.Path
        The folder. Nodes have t, z, y and x (µm, or pixels where no size is known), and the other
        columns of the table by their names; their ids are the rows of the table.

    Raises
    ------
    FileExistsError, FileNotFoundError, PermissionError, OSError
        As `atomic_folder`.
    ModuleNotFoundError
        If the library geff is not installed.
    """
    final = Path(path)
    geff = import_extra("geff", "tracking", final)
    core = import_extra("geff.core_io", "tracking", final)
    places, unit = _places(table)
    rest = {name: table[name] for name in table if not name.startswith("centroid_")}
    axes = [{"name": "t", "type": "time"}]
    axes += [{"name": axis, "type": "space", "unit": _UNITS[unit]} for axis in places]
    metadata = geff.GeffMetadata(
        directed=True,
        axes=axes,
        node_props_metadata={},
        edge_props_metadata={},
        track_node_props={"tracklet": "track"},
    )
    columns = {
        name: {"values": values, "missing": None} for name, values in (rest | places).items()
    }
    nodes, edges = np.arange(len(table["track"]), dtype=np.uint64), find_edges(table)
    with atomic_folder(final, overwrite) as folder:
        folder.rmdir()  # the library takes a folder for an older file
        core.write_arrays(folder, nodes, columns, edges, {}, metadata)
    return final


def find_edges(table: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.uint64]:
    """Rows of a table of tracks that follow each other, (edges, 2): earlier and later."""
    tracks, parents = table["track"], table["parent"]
    firsts = np.flatnonzero(np.diff(tracks, prepend=0))
    lasts = np.append(firsts[1:], len(tracks)) - 1
    later = np.setdiff1d(np.arange(len(tracks)), firsts)
    born = firsts[parents[firsts] > 0]
    earlier = np.concatenate([later - 1, lasts[parents[born] - 1]])
    return np.stack([earlier, np.concatenate([later, born])], axis=1).astype(np.uint64)


def _places(
    table: Mapping[str, npt.NDArray[Any]],
) -> tuple[dict[str, npt.NDArray[Any]], str]:
    """Columns of the centres by their axes, and their unit."""
    unit = "um" if "centroid_y_um" in table else "px"
    names = {axis: f"centroid_{axis}_{unit}" for axis in "zyx"}
    return {axis: table[name] for axis, name in names.items() if name in table}, unit
