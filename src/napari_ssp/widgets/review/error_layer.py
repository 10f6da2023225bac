"""Layer of an error map, and predicted errors among the features of the labels."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import Colormap, ensure_colormap

from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.widgets.layers.alignment import place_of
from napari_ssp.widgets.layers.placement import in_layer_axes, move_layer

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Labels

    from napari_ssp.service import Review

_NAME = "error map"
_COLUMN = "predicted_error"
#: Opacity of the highest error; below it cells can still be made out.
_MOST_COVERED = 0.85
#: Maps by the labels that they are of, whichever dock has shown them.
_SHOWN: weakref.WeakKeyDictionary[Labels, weakref.ref[Image]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Reviewed:
    """A review made ready for its layers, by the worker."""

    review: Review
    features: dict[str, Any]


def make_ready(review: Review, before: Any) -> Reviewed:
    """Work out features; parameters as of `features_with_errors`."""
    return Reviewed(review, features_with_errors(review, before))


class ErrorLayers:
    """Shows error maps over the labels that they are of, one for each labels layer.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer

    def show(self, value: Reviewed, labels: Labels) -> Image:
        """Add the map of a review, or bring an earlier one up to date; note errors as features."""
        review = value.review
        data = in_layer_axes(review.error_map, review.axes, labels)  # type: ignore[arg-type]
        layer = self._find(labels)
        if layer is None or layer.data.shape != data.shape:
            layer = self._add(data, labels)
        else:
            layer.data = data
            move_layer(layer, place_of(labels))
        layer.metadata = {**layer.metadata, METADATA_KEY: review.provenance}
        labels.features = value.features
        return layer

    def take_away(self, labels: Labels) -> bool:
        """Remove the map of labels that are others by now; whether there was one."""
        layer = self._find(labels)
        if layer is not None:
            self._viewer.layers.remove(layer)
        return layer is not None

    def _find(self, labels: Labels) -> Image | None:
        known = _SHOWN.get(labels)
        layer = known() if known else None
        return layer if layer in self._viewer.layers else None

    def _add(self, data: Any, labels: Labels) -> Image:
        selected, active = set(self._viewer.layers.selection), self._viewer.layers.selection.active
        layer: Image = self._viewer.add_image(
            data,
            name=f"{labels.name} {_NAME}",
            colormap=_colours(),
            contrast_limits=(0.0, 1.0),
            blending="translucent_no_depth",
            metadata={METADATA_KEY: {}},  # no image to be segmented
            **place_of(labels),
        )
        layer.colorbar.visible = True
        self._viewer.layers.move(
            self._viewer.layers.index(layer), self._viewer.layers.index(labels)
        )
        self._viewer.layers.selection = selected
        self._viewer.layers.selection.active = active
        _SHOWN[labels] = weakref.ref(layer)
        return layer


def _colours() -> Colormap:
    """Make colours that cover more where the error is higher: seen on bright images, too."""
    shares = np.linspace(0, 1, 256)
    # The darkest third would be lost on dark images.
    colours = np.array(ensure_colormap("inferno").map((1 + 2 * shares) / 3))
    colours[:, 3] = _MOST_COVERED * np.sqrt(shares)
    return Colormap(colours, name="error")


def features_with_errors(review: Review, before: Any) -> dict[str, Any]:
    """Features of the reviewed labels, made on the worker.

    Parameters
    ----------
    review : Review
        Of an object in several planes the worst counts.
    before : pandas.DataFrame
        The layer's features, which stay; where they have rows for frames or planes, each gets the
        error there.
    """
    pandas = import_module("pandas")  # napari needs it; in the GUI thread that would be felt
    table = {"index": review.table["label"], **review.table}
    is_known = "index" in before
    repeats = is_known and not before["index"].is_unique
    places = [axis for axis in "tz" if repeats and axis in table and axis in before]
    keys = ["index", *places]
    errors = pandas.DataFrame({name: table[name] for name in (*keys, _COLUMN)})
    errors = errors.groupby(keys, as_index=False).max()
    kept = before.drop(columns=_COLUMN, errors="ignore") if is_known else errors[keys]
    joined = kept.merge(errors, on=keys, how="left" if repeats else "right")
    return {str(name): joined[name].to_numpy() for name in ("index", _COLUMN, *kept)}
