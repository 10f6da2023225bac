"""Tables of objects as features of a labels layer, and the files that objects are saved to."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.service.classes.classifying import CLASS_COLUMNS
from napari_ssp.service.measuring import TABLE_SUFFIX, digest_labels
from napari_ssp.widgets.forms.export_button import FileKind

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.measure import Table

_PLACES = ("t", "z")
_SIZES = ("area_", "volume_", "num_nuclei", "nucleus_to_cytoplasm_")
#: Columns of what people and critics said about objects, which is no measurement.
SAID = (*CLASS_COLUMNS, "predicted_error")


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


def join_features(
    table: Table, before: Any, names: Collection[str] | None = None
) -> dict[str, Any]:
    """Features of a table, and columns of the features before that are about the same objects.

    Parameters
    ----------
    table : dict
        As `measure_objects` returns it.
    before : pandas.DataFrame
        The layer's features.
    names : collection of str, optional
        Columns that stay; None: all that the table has not.
    """
    found = as_features(table)
    keys = [name for name in ("index", *_PLACES) if name in found or name in before]
    if not all(key in found and key in before for key in keys) or before.duplicated(keys).any():
        return found
    kept = [n for n in before if n not in found and (names is None or n in names)]
    own = import_module("pandas").DataFrame({key: found[key] for key in keys})
    joined = own.merge(before[[*keys, *kept]], on=keys, how="left")
    return found | {str(name): joined[name].to_numpy() for name in kept}


def measured(table: Table, labels: MicroscopyImage) -> tuple[dict[str, Any], str]:
    """Make, on the worker, features of a table, and the digest of the labels that it is of."""
    return as_features(table), digest_labels(labels)


def measured_again(found: tuple[Table, str], before: Any) -> tuple[dict[str, Any], str]:
    """Make, on the worker, features that keep what those before said about the objects."""
    table, digest = found
    return join_features(table, before, SAID), digest


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
    if name in CLASS_COLUMNS:
        return 1
    if name.startswith(_SIZES):
        return 2
    return 3 if name.startswith("mean_") else 4
