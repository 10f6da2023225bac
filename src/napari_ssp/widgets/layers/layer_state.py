"""State of a layer when work on it began, so that a late result is not laid on something else."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari_ssp.widgets.layers.images import full_level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import napari
    from napari.layers import Layer


class LayerState:
    """What a result depends on: the array, axes and voxel size of a layer; keeps none of it alive.

    Parameters
    ----------
    layer : napari.layers.Image or Labels
        As it is now. Where it lies may change, and so may pixels of its array.
    """

    def __init__(self, layer: Layer) -> None:
        self.name = layer.name
        self._layer = weakref.ref(layer)
        self._array, self._grid = _reference(full_level(layer)), grid_of(layer)

    @property
    def layer(self) -> Any:
        """The layer; None when it is no more."""
        return self._layer()

    @property
    def is_same(self) -> bool:
        """Whether the layer still shows the same array on the same grid."""
        layer = self._layer()
        if layer is None or full_level(layer) is not self._array():
            return False
        return grid_of(layer) == self._grid


def lost_reason(states: Iterable[LayerState], viewer: napari.Viewer, noun: str) -> str | None:
    """Why a result of layers is not to be shown any more; None where it is.

    Parameters
    ----------
    states : iterable of LayerState
        Of all layers that it was made of.
    viewer : napari.Viewer
        Where they were.
    noun : str
        What was done: "segmentation".
    """
    for state in states:
        if state.layer is None or state.layer not in viewer.layers:
            return f"'{state.name}' was removed, so its {noun} is not shown."
        if not state.is_same:
            return (
                f"'{state.name}' was changed during its {noun}, so the result is not shown. Run "
                "again."
            )
    return None


def _reference(array: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(array)
    except TypeError:  # arrays of other libraries may not allow it
        return lambda: array


def grid_of(layer: Layer) -> tuple[Any, ...]:
    """Axes, voxel size and units of a layer."""
    units = tuple(str(unit) for unit in layer.units)
    return tuple(layer.axis_labels), tuple(float(step) for step in layer.scale), units
