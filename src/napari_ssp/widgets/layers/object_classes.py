"""Classes of a labels layer's objects: a column of its features, and what the classes mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.service.classes.classifying import CLASS
from napari_ssp.service.review.decisions import ObjectKey

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_ssp.service.classes.examples import ObjectClass

#: In the metadata of a labels layer: the classes that its objects can have.
_CLASSES_KEY = "napari_ssp_classes"


def remember_classes(layer: Labels, classes: tuple[ObjectClass, ...]) -> None:
    """Remember what the classes of a layer's features mean."""
    layer.metadata = {**layer.metadata, _CLASSES_KEY: classes}


def known_classes(layer: Labels) -> tuple[ObjectClass, ...]:
    """Classes that a layer's objects can have."""
    found: tuple[ObjectClass, ...] = layer.metadata.get(_CLASSES_KEY, ())
    return found


def class_colors(layer: Labels) -> dict[str, str]:
    """Color of each class as "#rrggbb"."""
    return {each.name: each.color for each in known_classes(layer)}


def wrong_objects(layer: Labels) -> dict[ObjectKey, str]:
    """Objects of classes that are segmented wrongly, and their classes."""
    wrong = {each.name for each in known_classes(layer) if each.is_wrong}
    features = layer.features
    if not wrong or CLASS not in features or "index" not in features:
        return {}
    rows = features[features[CLASS].isin(wrong)]
    axes = [rows[axis] if axis in rows else [0] * len(rows) for axis in "tz"]
    return {
        ObjectKey(int(label), int(t), int(z)): name
        for label, t, z, name in zip(rows["index"], *axes, rows[CLASS], strict=True)
    }
