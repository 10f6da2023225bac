"""Data to learn from: pairs of layers, folders and tables, in a list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.forms.fields import ChoiceBox
from napari_ssp.widgets.layers.images import channel_choices, layer_image
from napari_ssp.widgets.train.pairs import LayerPair, find_image, pair_annotation, pair_stacks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image, Labels, Layer, Shapes

Source = LayerPair | Path
_ROWS = 4


class TrainData(QWidget):
    """Boxes that make pairs of layers, and the list of all that is learned from.

    Setters in: ``set_structures``, ``set_layers``, ``choose``, ``set_value``. Signal out:
    ``changed``, when the list has changed.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._learns_structures = False
        self._sources: list[Source] = []
        self.image_box = ChoiceBox("Image that the network will see")
        self.channel_box = ChoiceBox("Channel that the network will see")
        self.labels_box = ChoiceBox("Labels of the cells, drawn or corrected")
        self.area_box = ChoiceBox(
            "Where you annotated every cell; outside of these shapes nothing is learned"
        )
        self.target_box = ChoiceBox("Image with the measured fluorescence")
        self.target_channel_box = ChoiceBox("Channel with the measured fluorescence")
        self.structure_edit = QLineEdit()
        self.structure_edit.setPlaceholderText("e.g. mitochondria")
        self.structure_edit.setToolTip("Name of the structure that fluoresces")
        self.list = _List()
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.add_button = _button("Add pair", "Learn from this pair of layers")
        self.all_button = _button("Add all", "Learn from every labels layer and the image under it")
        self.folder_button = _button("Add folder…", "")
        self.table_button = _button("Add table…", "")
        self.remove_button = _button("Remove", "Take what is selected off the list")
        self._lay_out()
        self._connect()
        self.set_structures(False)
        self._show()

    def value(self) -> tuple[Source, ...]:
        """Return the list: pairs of layers, and paths of folders and tables."""
        return tuple(self._sources)

    def set_value(self, sources: Sequence[Source]) -> None:
        """Replace the list."""
        self._sources = list(sources)
        self._show()
        self.changed.emit()

    def pair(self) -> LayerPair | None:
        """Pair that the boxes show, whether it is on the list or not."""
        image = self.image_box.value()
        target = (self.target_box if self._learns_structures else self.labels_box).value()
        if image is None or target is None:
            return None
        if self._learns_structures:
            name = self.structure_edit.text().strip()
            channel = self.target_channel_box.value()
            return LayerPair(image, target, self.channel_box.value(), channel, structure=name)
        return LayerPair(image, target, self.channel_box.value(), area=self.area_box.value())

    def set_structures(self, structures: bool) -> None:
        """Ask for labels of cells, or for fluorescence of structures; empties the list if new."""
        if structures != self._learns_structures:
            self._learns_structures = structures
            self.set_value(())
        for box in (self.labels_box, self.area_box):
            self._form.setRowVisible(box, not structures)
        self._form.setRowVisible(self.target_box, structures)
        self._form.setRowVisible(self.structure_edit, structures)
        self.all_button.setVisible(not structures)
        folders = ("signal", "target") if structures else ("images", "labels")
        columns = "signal, target, task" if structures else "image, label"
        self.table_button.setToolTip(f"CSV file with the columns {columns}, and possibly split")
        self.folder_button.setToolTip(f"Folder that holds '{folders[0]}' and '{folders[1]}'")
        self._show_channels()

    def set_layers(
        self, images: Sequence[Image], labels: Sequence[Labels], shapes: Sequence[Shapes]
    ) -> None:
        """Offer layers; pairs of layers that have gone leave the list."""
        self.image_box.set_choices([(layer.name, layer) for layer in images])
        self.target_box.set_choices([(layer.name, layer) for layer in images])
        self.labels_box.set_choices([(layer.name, layer) for layer in labels])
        drawn = [(f"Inside '{layer.name}'", layer) for layer in shapes]
        self.area_box.set_choices([("Everywhere", None), *drawn])
        self._show_channels()
        here = {*images, *labels, *shapes}
        left = [s for s in self._sources if isinstance(s, Path) or here.issuperset(s.layers)]
        if len(left) < len(self._sources):
            self.set_value(left)
        else:
            self._show()  # layers may have got other names

    def choose(self, layer: Layer | None) -> None:
        """Follow the layer that was selected, and find the image under labels."""
        if layer is None:
            return
        if layer in self.labels_box and not self._learns_structures:
            is_new = layer is not self.labels_box.value()
            self.labels_box.set_value(layer)
            chosen = self.image_box.value()
            if is_new or chosen is None or find_image(layer, [chosen]) is None:
                under = find_image(layer, self.image_box.values())
                self.image_box.set_value(under or chosen)

    def add_pair(self) -> None:
        """Put the pair of the boxes on the list, as the button does."""
        pair = self.pair()
        if pair is None:
            self._say("Open an image and its labels first, then choose both.")
        else:
            self._add([pair])

    def add_all(self) -> None:
        """Put every labels layer with the image under it on the list, as the button does."""
        images = self.image_box.values()
        found = [(find_image(layer, images), layer) for layer in self.labels_box.values()]
        pairs = [LayerPair(image, layer) for image, layer in found if image is not None]
        if pairs:
            self._add(pairs)
        else:
            self._say("No labels layer lies pixel on pixel on an image layer.")

    def add_path(self, path: Path) -> None:
        """Put a folder or table on the list, once."""
        if path not in self._sources:
            self.set_value([*self._sources, path])

    def _add(self, pairs: Sequence[LayerPair]) -> None:
        known = list(self._sources)
        try:
            for pair in pairs:
                _check(pair)
                known = [s for s in known if isinstance(s, Path) or not pair.is_same(s)]
                known.append(pair)
        except (ValueError, TypeError) as error:
            self._say(error_line(error))
            return
        self._say("")
        self.set_value(known)

    def _remove(self) -> None:
        chosen = {self.list.row(item) for item in self.list.selectedItems()}
        self.set_value([s for row, s in enumerate(self._sources) if row not in chosen])

    def _ask_folder(self) -> None:
        text = QFileDialog.getExistingDirectory(self, self.folder_button.toolTip())
        if text:
            self.add_path(Path(text))

    def _ask_table(self) -> None:
        text, _ = QFileDialog.getOpenFileName(self, "Table of pairs", "", "CSV (*.csv)")
        if text:
            self.add_path(Path(text))

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _show(self) -> None:
        self.list.clear()
        for source in self._sources:
            item = QListWidgetItem(_title(source))
            item.setToolTip(source.title if isinstance(source, LayerPair) else str(source))
            self.list.addItem(item)
        self.list.setVisible(bool(self._sources))
        self.remove_button.setEnabled(bool(self.list.selectedItems()))

    def _show_channels(self) -> None:
        pairs = ((self.image_box, self.channel_box), (self.target_box, self.target_channel_box))
        for box, channels in pairs:
            choices = _channels(box.value())
            channels.set_choices(choices)
            is_asked = box is self.image_box or self._learns_structures
            self._form.setRowVisible(channels, len(choices) > 1 and is_asked)

    def _select(self) -> None:
        self.remove_button.setEnabled(bool(self.list.selectedItems()))

    def _connect(self) -> None:
        for box in (self.image_box, self.target_box):
            box.currentIndexChanged.connect(self._show_channels)
        self.add_button.clicked.connect(self.add_pair)
        self.all_button.clicked.connect(self.add_all)
        self.folder_button.clicked.connect(self._ask_folder)
        self.table_button.clicked.connect(self._ask_table)
        self.remove_button.clicked.connect(self._remove)
        self.list.itemSelectionChanged.connect(self._select)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(12)
        self._form.setVerticalSpacing(6)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        rows: dict[str, QWidget] = {
            "Image": self.image_box,
            "Channel": self.channel_box,
            "Labels": self.labels_box,
            "Annotated": self.area_box,
            "Measured": self.target_box,
            "Its channel": self.target_channel_box,
            "Structure": self.structure_edit,
        }
        for title, editor in rows.items():
            label = QLabel(title)
            label.setToolTip(editor.toolTip())
            self._form.addRow(label, editor)
        grid = QGridLayout()
        places = {self.add_button: (0, 0), self.all_button: (0, 1), self.remove_button: (0, 2)}
        places |= {self.folder_button: (1, 0), self.table_button: (1, 1)}
        for button, place in places.items():
            grid.addWidget(button, *place)
        layout.addLayout(self._form)
        layout.addLayout(grid)
        for widget in (self.note, self.list):
            layout.addWidget(widget)
        self._say("")


class _List(QListWidget):
    """A few rows high; more of them scroll."""

    def __init__(self) -> None:
        super().__init__()
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setToolTip("What the model will learn from")

    def sizeHint(self) -> QSize:
        """Ask for a few rows."""
        rows = min(max(self.count(), 1), _ROWS)
        return QSize(200, rows * max(self.sizeHintForRow(0), 18) + 8)

    def minimumSizeHint(self) -> QSize:
        """Ask for as much as possible of it."""
        return self.sizeHint()


def _title(source: Source) -> str:
    if isinstance(source, LayerPair):
        return source.title
    return f"{source.name} ({'table' if source.suffix.lower() == '.csv' else 'folder'})"


def _check(pair: LayerPair) -> None:
    """Refuse a pair that nothing can be learned from; reads no pixels."""
    if not isinstance(pair.target, type(pair.image)):
        pair_annotation(pair)
        return
    if pair.target is pair.image and pair.channel == pair.target_channel:
        raise ValueError("Both are the same layer. Choose the measured fluorescence as second.")
    if not pair.structure:
        raise ValueError("Give the structure a name, e.g. mitochondria.")
    pair_stacks(pair)


def _channels(layer: Any) -> list[tuple[str, int | None]]:
    try:
        return channel_choices(layer_image(layer)) if layer is not None else []
    except (ValueError, TypeError):
        return []


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button
