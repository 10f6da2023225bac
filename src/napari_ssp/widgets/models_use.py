"""From a model to the dock that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import napari

    from napari_ssp.registry import ModelCard

_PLUGIN = "napari-ssp"
#: Title of the dock, as in the manifest, for what a model does.
_DOCKS = {"mediar": "Segment", "repmode": "Predict structures"}


def dock_for(card: ModelCard) -> str | None:
    """Title of the dock that runs a model; None where there is none."""
    return _DOCKS.get(card.family)


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
