"""Visit of one image of a series: it is opened, shown, and its labels are saved as they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.service import JobState
from napari_ssp.service.series.opening import OpenImageRequest
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.series.saver import LabelSaver
from napari_ssp.widgets.series.shown import ShownImage

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

    from napari_ssp.service.series.listing import SeriesImage
    from napari_ssp.service.series.opening import OpenedImage
    from napari_ssp.service.series.saving import LabelFile
    from napari_ssp.widgets.docks.relay import Outcome

_SHARED = (
    "The labels of '{name}' are one of several in their file, so what you change in them is not "
    "saved. Save them as '{name}_label.tiff' beside the image."
)
_OTHERS = (
    "'{layer}' is not saved: the image has labels already. To have it in their place, select it "
    "and press 'Take selected labels'."
)
_NO_FILE = "Show an image of the series first whose labels have a file of their own."
_NOT_FITTING = "Select a labels layer that covers the whole image on display."


class Visit(QObject):
    """Shows one image after the other.

    Setters in: ``begin``, ``take``, ``follow_layers``, ``end``, ``close``. Signals out: ``opened``;
    ``saved``; ``noted(sentence)``; ``refused(error)``, where an image cannot be read;
    ``lost(error)``, where labels cannot be saved.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets the layers.
    parent : QObject
        The dock; it calls ``close`` when it leaves.
    """

    opened = Signal()
    saved = Signal()
    noted = Signal(str)
    refused = Signal(object)
    lost = Signal(object)

    def __init__(self, viewer: napari.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._shown = viewer, ShownImage(viewer)
        self._saver = LabelSaver(self)
        self._file: LabelFile | None = None
        self._opener = Runner(parent=self)
        self._opener.ended.connect(self._on_opened)
        self._saver.saved.connect(self.saved)
        self._saver.failed.connect(self.lost)

    @property
    def is_settled(self) -> bool:
        """Whether the image is on display, and all that was drawn on the disk."""
        return self._saver.is_settled and not self._opener.is_running

    @property
    def labels(self) -> Labels | None:
        """Layer that is saved as the labels of the image."""
        return self._saver.layer()

    def begin(self, image: SeriesImage) -> None:
        """Show an image in place of the one before."""
        self.end()
        self._opener.start(OpenImageRequest(image))

    def end(self) -> None:
        """Save what was drawn, and follow the image no more; it stays on display."""
        self._opener.cancel()
        self._saver.leave()
        self._file = None

    def clear(self) -> None:
        """Take the image away."""
        self.end()
        self._shown.clear()

    def close(self) -> None:
        """Save what was drawn, and wait for it."""
        self._opener.cancel()
        self._saver.close()

    def take(self, layer: Any) -> None:
        """Make a layer the labels of the image."""
        if self._file is None or not self._shown.fits(layer):
            self.noted.emit(_NO_FILE if self._file is None else _NOT_FITTING)
            return
        self._shown.add(layer)
        self._saver.follow(layer, self._file, is_saved=False)

    def follow_layers(self) -> None:
        """Take new labels of the image for its own, where it has none yet."""
        if self.labels is not None and self.labels not in self._viewer.layers:
            self._saver.leave()
        if self._file is None:
            return
        for layer in self._shown.find_new_labels():
            if self.labels is None and not self._file.digest:
                self.take(layer)
            elif layer is not self.labels and METADATA_KEY in layer.metadata:
                self.noted.emit(_OTHERS.format(layer=layer.name))

    def _on_opened(self, outcome: Outcome) -> None:
        if outcome.state is not JobState.DONE:
            self._shown.clear()
            self.refused.emit(outcome.error)
            return
        opened: OpenedImage = outcome.value
        labels = self._shown.show(opened)
        if opened.image.labels.scene is not None:
            self.noted.emit(_SHARED.format(name=opened.image.name))
        else:
            self._file = opened.file
            if labels is not None:
                self._saver.follow(labels, opened.file, is_saved=True)
        self.opened.emit()
