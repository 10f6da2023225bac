"""Connection of the user who corrects labels with the training set they go to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_ssp.service.annotation.training_set import TrainingSet
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.train.collect.autosave import Autosave
from napari_ssp.widgets.train.collect.keys import COLLECT_KEYS
from napari_ssp.widgets.train.collect.panel import CollectPanel
from napari_ssp.widgets.train.collect.suggestions import Suggestions

if TYPE_CHECKING:
    import napari

    from napari_ssp.service.annotation.annotations import AnnotationWriter
    from napari_ssp.widgets.train.data import TrainData


class Collecting(QObject):
    """Adds labels to a training set, keeps them up to date there, and says where to look next.

    Parameters
    ----------
    viewer : napari.Viewer
        Its keys act on this object.
    data : TrainData
        Its boxes say which labels belong to which image; the set goes on its list.
    parent : QObject
        The dock; it calls ``close`` when it leaves.

    Attributes
    ----------
    settled : Signal
        What was asked for is done: on the disk, or said on the panel why not.
    """

    settled = Signal()

    def __init__(self, viewer: napari.Viewer, data: TrainData, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._data = data
        self.panel = CollectPanel()
        self.autosave = Autosave(viewer, self)
        self.suggestions = Suggestions(viewer, self)
        self.panel.add_clicked.connect(self.add)
        self.panel.next_clicked.connect(self.show_next)
        self.autosave.saved.connect(self._on_saved)
        self.autosave.failed.connect(self._on_failed)
        self.autosave.left.connect(self._warn)
        self.suggestions.shown.connect(self.panel.set_message)
        self.suggestions.refused.connect(self._warn)
        COLLECT_KEYS.listen(viewer, self)

    def add(self) -> None:
        """Write the chosen labels and their image to the training set, as the button does."""
        self._data.choose(self._viewer.layers.selection.active)
        pair = self._data.pair()
        try:
            folder = TrainingSet(self.panel.folder())
            if pair is None or not isinstance(pair.target, Labels):
                raise ValueError(
                    "Choose cells, a labels layer and its image above; structures are measured, "
                    "not corrected."
                )
            if self.autosave.is_following(pair.target, folder):
                self.panel.set_message(
                    f"'{pair.target.name}' is in the training set already; corrections are saved "
                    "by themselves."
                )
                self.settled.emit()
                return
        except ValueError as error:
            self._on_failed(error)
            return
        self.panel.set_message(f"Adding '{pair.target.name}' …")
        self.autosave.follow(pair, folder)

    def show_next(self) -> None:
        """Go to the next suggested region, as the button does."""
        self._data.choose(self._viewer.layers.selection.active)
        self.suggestions.show_next(self._data.labels_box.value())

    def follow_layers(self) -> None:
        """Follow no labels whose layer has gone."""
        self.autosave.follow_layers()

    def close(self) -> None:
        """Give the keys back and write what is not yet on the disk."""
        COLLECT_KEYS.forget(self._viewer, self)
        self.suggestions.close()
        self.autosave.close()

    def _on_saved(self, writer: AnnotationWriter) -> None:
        names, folder = writer.names, writer.folder
        count = len(folder.pairs())
        self._data.add_path(folder.folder)
        self.panel.set_message(
            f"Saved {', '.join(names[:3])}{' …' * (len(names) > 3)}: {count} "
            f"image{'s' * (count != 1)} in '{folder.folder.name}'. Corrections are saved by "
            "themselves."
        )
        self.settled.emit()

    def _on_failed(self, error: BaseException) -> None:
        self._warn(error_line(error))
        self.settled.emit()

    def _warn(self, text: str) -> None:
        self.panel.set_message(text, "warning")
