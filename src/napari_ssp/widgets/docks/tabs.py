"""Docks of one kind share one place of the window: below each other they would lack room."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


def join_tabs(widget: QWidget, kind: type[QWidget]) -> None:
    """Make a widget's dock the front tab on the dock in its area that holds another of its kind.

    A dock that floats, or has no such neighbour, stays as it is.

    Parameters
    ----------
    widget : QWidget
        Lies in a dock of a main window.
    kind : type
        Class of the widgets that belong together.
    """
    window: Any = widget.window()
    if not isinstance(window, QMainWindow):
        return
    docks = [dock for dock in window.findChildren(QDockWidget) if not dock.isFloating()]
    own = next((dock for dock in docks if dock.isAncestorOf(widget)), None)
    for dock in docks:
        beside = dock is not own and dock.isVisible() and dock.findChildren(kind)
        if own and beside and window.dockWidgetArea(dock) == window.dockWidgetArea(own):
            window.tabifyDockWidget(dock, own)
            own.show()
            own.raise_()
            return
