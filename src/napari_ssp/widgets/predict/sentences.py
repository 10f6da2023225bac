"""Sentences of the Predict dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_ssp.widgets.predict.results import PreparedStructures


def prediction_line(prepared: PreparedStructures, plane: int | None = None) -> str:
    """Say what was predicted, how long it took, and where to look.

    Parameters
    ----------
    prepared : PreparedStructures
        The prediction.
    plane : int or None
        Plane on display, or None when there is no single one.
    """
    *names, last = prepared.images
    listed = f"{', '.join(names)} and {last}" if names else last
    line = f"Predicted {listed} in {prepared.provenance['seconds']:.1f} s."
    first = prepared.origin[1]
    end = first + (len(prepared.images[last]) if "z" in prepared.axes else 1)
    if plane is None or first <= plane < end:
        return line
    where = f"plane {first}" if end == first + 1 else f"planes {first} to {end - 1}"
    return f"{line} It lies in {where}; the slider stands at {plane}."
