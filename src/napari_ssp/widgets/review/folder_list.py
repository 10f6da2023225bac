"""List of a folder's images, those whose labels look worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_ssp.widgets.docks.message_line import MessageLine
from napari_ssp.widgets.forms.wrapped_label import SmallPrint

if TYPE_CHECKING:
    from napari_ssp.service.review.ranking import FolderRanking, RankedImage

_HEIGHT = 120  # pixels
_MOST_PROBLEMS = 5


class FolderList(QWidget):
    """List of ranked images; setter in: ``set_ranking``. Signal out: ``chosen(RankedImage)``."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: tuple[RankedImage, ...] = ()
        self.list, self.problems = QListWidget(), MessageLine()
        self.list.setMaximumHeight(_HEIGHT)
        self.list.setToolTip("A double click opens an image and its labels")
        self.list.itemActivated.connect(self._choose)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(SmallPrint("Images of the folder, the worst first; double-click one."))
        layout.addWidget(self.list)
        layout.addWidget(self.problems)
        self.setVisible(False)

    def set_ranking(self, ranking: FolderRanking) -> None:
        """Show the images of a folder, and what was left out."""
        self._images = ranking.images
        self.list.clear()
        for image in ranking.images:
            words = f"{image.error:.2f}  {image.image.name}  ({image.doubtful} of {image.count})"
            item = QListWidgetItem(words)
            item.setToolTip(
                f"{image.image}: predicted error {image.error:.2f}; {image.doubtful} of "
                f"{image.count} objects look wrong"
            )
            self.list.addItem(item)
        more = len(ranking.problems) - _MOST_PROBLEMS
        lines = [*ranking.problems[:_MOST_PROBLEMS], *([f"… and {more} more"] if more > 0 else [])]
        self.problems.say("\n".join(lines), "warning")
        self.setVisible(True)

    def _choose(self, item: QListWidgetItem) -> None:
        self.chosen.emit(self._images[self.list.row(item)])
