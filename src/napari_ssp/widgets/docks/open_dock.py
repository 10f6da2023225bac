"""Opener of the dock that runs a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.registry import ERRORS, IMAGES, OBJECTS

if TYPE_CHECKING:
    import napari

    from napari_ssp.registry import ModelCard

_PLUGIN = "napari-ssp"
#: Title of the dock, as in the manifest, for what a model does.
_DOCKS = {OBJECTS: "Segment", IMAGES: "Predict structures", ERRORS: "Review"}


def dock_for(card: ModelCard) -> str:
    """Title of the dock that runs a model."""
    return _DOCKS[card.makes]


def open_dock(viewer: napari.Viewer, title: str) -> Any:
    """Dock of this plugin, brought to the front; opened where it is not there yet."""
    frame, dock = viewer.window.add_plugin_dock_widget(_PLUGIN, title, tabify=True)
    frame.show()
    frame.raise_()
    return dock


def use_model(viewer: napari.Viewer, card: ModelCard) -> None:
    """Choose a model in the dock that runs it."""
    open_dock(viewer, dock_for(card)).choose_model(card.name)
