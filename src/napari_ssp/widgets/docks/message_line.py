"""Line that says something, or is not there."""

from __future__ import annotations

from qtpy.QtCore import Qt

from napari_ssp.widgets.forms.wrapped_label import WrappedLabel

# White on dark red and on dark amber read well in napari's dark and light themes.
_STYLES = {
    "info": "",
    "error": "background: #99121f; color: white; border-radius: 3px; padding: 5px;",
    "warning": "background: #7a5600; color: white; border-radius: 3px; padding: 5px;",
}


class MessageLine(WrappedLabel):
    """Message that can be copied; setter in: ``say``."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._said = ("", "info")
        self.setVisible(False)

    def say(self, text: str, kind: str = "info") -> None:
        """Show a text; ``kind`` is "info", "warning" or "error". Without a text it is hidden."""
        if (text, kind) == self._said:  # as ten times a second while something is waited for
            return
        self._said = (text, kind)
        self.setText(text)
        self.setStyleSheet(_STYLES[kind] if text else "")
        self.setVisible(bool(text))
