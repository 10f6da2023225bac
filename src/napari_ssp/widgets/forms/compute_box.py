"""The Compute field: this process, processes beside it, or a server or cluster by its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog

from napari_ssp.service.compute.queues.cluster_file import CLUSTER_SUFFIX
from napari_ssp.widgets.forms.fields import ChoiceBox

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

#: Value of the entry that asks for a file.
_ASK = "ask for a file"
_ENTRIES = (("In this program", "local"), ("Processes on this computer", "processes"))
_LAST = ("Server or cluster: choose its file …", _ASK)


class ComputeBox(ChoiceBox):
    """Box of the places to compute at; one that is set is offered, too."""

    def __init__(self, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(tooltip, parent)
        self._before: Any = "local"
        self._others: dict[str, Any] = {}
        self.set_choices([*_ENTRIES, _LAST])
        self.currentIndexChanged.connect(self._remember)
        self.activated.connect(self._ask)

    def value(self) -> Any:
        """Place that is chosen; while a file is asked for, the one before."""
        found = super().value()
        return self._before if found == _ASK else found

    def show_place(self, place: Any) -> None:
        """Choose a place, which is offered from now on: a word, a file or an address."""
        if place not in self:
            self._others[_name(str(place))] = place
            self.set_choices([*_ENTRIES, *self._others.items(), _LAST])
        self.set_value(place)

    def _remember(self) -> None:
        found = super().value()
        if found != _ASK:
            self._before = found

    def _ask(self) -> None:
        if super().value() != _ASK:
            return
        kinds = "Client bundles and cluster files (*.json *.toml)"
        path, _ = QFileDialog.getOpenFileName(self, "Server or cluster", "", kinds)
        self.show_place(path or self._before)


def _name(place: str) -> str:
    path = Path(place)
    if "://" in place or not path.suffix:
        return place
    return f"{'Cluster' if path.suffix.lower() == CLUSTER_SUFFIX else 'Server'} of {path.name}"
