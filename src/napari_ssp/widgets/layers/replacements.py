"""Signals to all docks that the pixels of a result's labels are replaced by those of another."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from napari.layers import Labels


class Replacements(QObject):
    """Signals out: ``begins(layer)``, before each change; ``done(layer)``, after the last one."""

    begins = Signal(object)
    done = Signal(object)


@cache
def replacements() -> Replacements:
    """Return those of the viewer's process, in the GUI thread."""
    return Replacements()


def copy_labels(layer: Labels) -> Any:
    """Pixels of labels as they are now; None where they are not in memory."""
    return layer.data.copy() if isinstance(layer.data, np.ndarray) else None


def changed_numbers(before: Any, layer: Labels) -> frozenset[int] | None:
    """Numbers that have other pixels than before; None: nobody can say which."""
    after = layer.data
    if before is None or not isinstance(after, np.ndarray) or before.shape != after.shape:
        return None
    changed = before != after
    return frozenset(np.union1d(before[changed], after[changed]).tolist())
