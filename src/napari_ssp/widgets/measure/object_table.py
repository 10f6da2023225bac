"""Tables of objects as features of a labels layer, and the files that objects are saved to."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.service.measuring import TABLE_SUFFIX, digest_labels

if TYPE_CHECKING:
    from napari_ssp.image import MicroscopyImage
    from napari_ssp.measure import Table

_PLACES = ("t", "z")
_SIZES = ("area_", "volume_", "num_nuclei", "nucleus_to_cytoplasm_")


@dataclass(frozen=True)
class FileKind:
    """A way to save objects.

    Attributes
    ----------
    name : str
        In the menu.
    suffix : str
        End of the file's name.
    """

    name: str
    suffix: str


CSV = FileKind("Table", TABLE_SUFFIX)
KINDS = (
    FileKind("ImageJ ROIs", ".zip"),
    FileKind("GeoJSON outlines for QuPath", ".geojson"),
    FileKind("OME-TIFF labels", ".ome.tif"),
    FileKind("OME-Zarr labels", ".ome.zarr"),
)


def as_features(table: Table) -> dict[str, Any]:
    """Columns for napari: "index" is the label, and what people look for first comes first."""
    import_module("pandas")  # napari needs it for features; in the GUI thread that would be felt
    names = [name for name in table if name != "label"]
    ranked = sorted(names, key=_rank)
    return {"index": table["label"], **{name: table[name] for name in ranked}}


def measured(table: Table, labels: MicroscopyImage) -> tuple[dict[str, Any], str]:
    """Make, on the worker, features of a table, and the digest of the labels that it is of."""
    return as_features(table), digest_labels(labels)


def from_features(features: Any) -> Table:
    """Table of a layer's features (a DataFrame), whoever measured them."""
    columns = {str(name): np.asarray(features[name]) for name in features}
    labels = columns.pop("index", np.arange(len(features)))
    return {
        "label": labels,
        **{name: values for name, values in columns.items() if name != "label"},
    }


def _rank(name: str) -> int:
    if name in _PLACES:
        return 0
    if name.startswith(_SIZES):
        return 1
    return 2 if name.startswith("mean_") else 3
