"""Watch over labels layers: masks and blank images are said, and the parts of masks numbered."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QPushButton

from napari_ssp.labels import NUMBER_PARTS
from napari_ssp.service import InspectRequest, JobState
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.layers.images import layer_image
from napari_ssp.widgets.layers.layer_state import LayerState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.layers import Image, Labels

    from napari_ssp.widgets.docks.relay import Outcome


class LabelWatch(QObject):
    """Looks at layers on a worker, once for each choice of them and their arrays.

    Signal out: ``looked``, when there are sentences on the layers that were asked about.
    """

    looked = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._seen: list[LayerState] = []
        self._sentences: tuple[str, ...] = ()
        self._runner = Runner(parent=self)
        self._runner.ended.connect(self._on_end)

    def look_at(self, labels: Sequence[Labels], images: Sequence[Image]) -> tuple[str, ...]:
        """Sentences on layers, as far as they are known by now."""
        layers = [*labels, *images]
        known = [state.layer if state.is_same else None for state in self._seen]
        if known != layers:
            self._seen, self._sentences = [LayerState(layer) for layer in layers], ()
            self._runner.cancel()
            if labels:
                pictures = []
                for image in images:
                    with suppress(ValueError, TypeError):  # the plan says what is wrong with it
                        pictures.append(layer_image(image))
                found = tuple(map(layer_image, labels))
                self._runner.start(InspectRequest(found, tuple(pictures)))
        return self._sentences

    def close(self) -> None:
        """Look no more."""
        self._runner.cancel()

    def _on_end(self, outcome: Outcome) -> None:
        if outcome.state is JobState.DONE:
            self._sentences = outcome.value
            self.looked.emit()


class PartsButton(QPushButton):
    """Button that numbers the parts of masks; there where a sentence offers it by name."""

    def __init__(self) -> None:
        super().__init__(NUMBER_PARTS)
        self.setToolTip("Give each separate part of a mask a number of its own")
        self.setVisible(False)

    def offer(self, sentences: Iterable[str]) -> None:
        """Show the button where one of the sentences names it, or where it is pressed."""
        named = any(f"'{NUMBER_PARTS}'" in sentence for sentence in sentences)
        self.setVisible(named or self.isChecked())
