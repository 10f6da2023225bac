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


def dock_for(card: ModelCard) -> str | None:
    """Title of the dock that runs a model; None of one that only trains others."""
    return _DOCKS.get(card.makes)


def open_dock(viewer: napari.Viewer, title: str) -> Any:
    """Dock of this plugin, brought to the front; opened where it is not there yet."""
    frame, dock = viewer.window.add_plugin_dock_widget(_PLUGIN, title, tabify=True)
    frame.show()
    frame.raise_()
    return dock


def use_model(viewer: napari.Viewer, card: ModelCard) -> None:
    """Choose a model in the dock that runs it."""
    title = dock_for(card)
    if title is not None:
        open_dock(viewer, title).choose_model(card.name)
