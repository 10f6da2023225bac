"""Style of letters that follow the font size of napari's preferences."""

from __future__ import annotations

from napari.settings import get_settings

#: Widgets for which napari's own style sheet has no font size.
_BODY = "QLineEdit, QTableView, QHeaderView, CurvePlot, GateView"
_TITLES = "QToolButton"
_SMALL = "SmallPrint"


def font_style() -> str:
    """Style sheet of a dock for the font size of the preferences; labels are a point larger."""
    points = get_settings().appearance.font_size
    sizes = {_BODY: points, _TITLES: points + 1, _SMALL: max(points - 1, 1)}
    return " ".join(f"{kinds} {{ font-size: {size}pt; }}" for kinds, size in sizes.items())
