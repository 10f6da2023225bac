"""Tour of the reviewed objects: the one that was chosen is outlined and brought into view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_ssp.widgets.measure.object_outline import ObjectOutline
from napari_ssp.widgets.measure.object_place import find_object, show_object

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

    from napari_ssp.service import Review

# An object is judged by what is around it, too.
_LEAST_VIEW = 128  # pixels
_FIELDS = ("t", "z", "bbox_y_start_px", "bbox_y_stop_px", "bbox_x_start_px", "bbox_x_stop_px")


class Tour:
    """Shows objects of a viewer's labels one by one; setters in: ``visit``, ``clear``.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose camera and sliders move.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._outline = ObjectOutline(viewer)

    def visit(self, labels: Labels, review: Review, row: int) -> str:
        """Go to an object.

        Parameters
        ----------
        labels : napari.layers.Labels
            Its layer, in the viewer.
        review : Review
            Of these labels.
        row : int
            Row of the review's table.

        Returns
        -------
        str
            What is to be said about it, or "".
        """
        table = review.table
        label = int(table["label"][row])
        box = {name: int(table[name][row]) for name in _FIELDS if name in table}
        labels.visible = True
        labels.selected_label = label
        place = find_object(labels, label, [box])
        if place is None:
            self._outline.clear()
            return f"No pixel has the label {label} now."
        self._outline.show(labels, place)
        show_object(self._viewer, labels, place, _LEAST_VIEW)
        return ""

    def paint(self, labels: Labels, label: int) -> None:
        """Let a person draw an object: its layer is selected, with the brush and its label."""
        self._outline.clear()
        labels.visible = True
        self._viewer.layers.selection.active = labels
        labels.selected_label = label
        editable: Any = labels
        editable.mode = "paint"

    def clear(self) -> None:
        """Take the outline away."""
        self._outline.clear()
