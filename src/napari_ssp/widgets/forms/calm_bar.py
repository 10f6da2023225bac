"""Progress bar that draws its window a few times a second while it knows no end."""

from __future__ import annotations

from qtpy.QtCore import QElapsedTimer, QEvent
from qtpy.QtWidgets import QProgressBar, QWidget

_FRAME_MS = 250
_STYLE_ANIMATION_UPDATE = 213  # QEvent::StyleAnimationUpdate, which Python's Qt does not name


class CalmBar(QProgressBar):
    """Progress bar whose busy state moves in steps.

    The window of a viewer is drawn as a whole for each frame of it. Without a graphics card sixty
    frames a second take more than half of a core from the run that they stand for.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._since_frame = QElapsedTimer()

    def event(self, event: QEvent | None) -> bool:
        """Let frames of the style's animation pass, but for a few."""
        assert event is not None
        kind = event.type()
        if getattr(kind, "value", kind) == _STYLE_ANIMATION_UPDATE:
            if self._since_frame.isValid() and self._since_frame.elapsed() < _FRAME_MS:
                event.accept()  # or the animation would end
                return True
            self._since_frame.start()
        return super().event(event)
