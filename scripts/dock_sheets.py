"""Show every dock at two sizes of the window, light and dark, one sheet each: to be looked at.

``python scripts/dock_sheets.py FOLDER [DOCK ...]``
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import virtual_screen
from PIL import Image
from window import open_dock, own_settings, pause, segment_sample

if TYPE_CHECKING:
    import napari

_SIZES = ((1366, 768), (1920, 1080))
_THEMES = ("dark", "light")


def main() -> int:
    if virtual_screen.is_needed():
        return virtual_screen.run_again(*_SIZES[-1])
    folder, *wanted = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    with own_settings():
        viewer, dock = open_dock("Segment", _SIZES[0])
        segment_sample(viewer, dock, "fluorescent_nuclei")
        for title in wanted or _titles():
            _, dock = viewer.window.add_plugin_dock_widget("napari-ssp", title, tabify=True)
            pause(600)
            dock.parent().raise_()
            path = Path(folder) / f"{title.lower().replace(' ', '-')}.png"
            _sheet(viewer).save(path)
            print(path, flush=True)
        viewer.close()
    return 0


def _titles() -> list[str]:
    from npe2 import PluginManager

    manifest = PluginManager.instance().get_manifest("napari-ssp")
    return [each.display_name for each in manifest.contributions.widgets or ()]


def _sheet(viewer: napari.Viewer) -> Image.Image:
    """Two columns for the themes, a row for each size."""
    sheet = Image.new("RGB", (2 * _SIZES[-1][0], sum(height for _, height in _SIZES)))
    top = 0
    for size, theme in product(_SIZES, _THEMES):
        viewer.theme = theme
        viewer.window.resize(*size)
        pause(700)
        viewer.reset_view()
        pause(500)
        shot = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
        sheet.paste(shot, (_THEMES.index(theme) * _SIZES[-1][0], top))
        top += size[1] if theme == _THEMES[-1] else 0
    return sheet


if __name__ == "__main__":
    sys.exit(main())
