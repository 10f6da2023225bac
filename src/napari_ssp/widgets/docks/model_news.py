"""Signal to all docks that models were added or removed."""

from __future__ import annotations

from functools import cache

from qtpy.QtCore import QObject, Signal


class ModelNews(QObject):
    """Signal out: ``changed``; whoever installs or removes a model in the viewer emits it."""

    changed = Signal()


@cache
def model_news() -> ModelNews:
    """News of the viewer's process, in the GUI thread."""
    return ModelNews()
