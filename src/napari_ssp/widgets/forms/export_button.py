"""Button that offers kinds of files to save something to, and the question for a name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtWidgets import QWidget


@dataclass(frozen=True)
class FileKind:
    """A way to save something.

    Attributes
    ----------
    name : str
        In the menu.
    suffix : str
        End of the file's name; a folder may have none.
    """

    name: str
    suffix: str


class ExportButton(QPushButton):
    """Button that offers kinds of files. Signal out: ``chosen(FileKind)``.

    Parameters
    ----------
    text : str
        What it says.
    kinds : iterable of FileKind
        In the order of the menu.
    """

    chosen = Signal(object)

    def __init__(self, text: str, kinds: Iterable[FileKind], parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        menu = QMenu(self)
        for kind in kinds:
            ending = f" ({kind.suffix})" if kind.suffix else ""
            action: Any = menu.addAction(f"{kind.name}{ending}")
            action.setData(kind)
        menu.triggered.connect(self._tell)
        self.setMenu(menu)

    def _tell(self, action: Any) -> None:
        self.chosen.emit(action.data())


def ask_for_path(parent: QWidget, stem: str, kind: FileKind) -> tuple[Path, bool] | None:
    """Ask for a name.

    Parameters
    ----------
    parent : QWidget
        Of the dialog.
    stem : str
        Name that is suggested, without its end.
    kind : FileKind
        What is saved.

    Returns
    -------
    (pathlib.Path, bool) or None
        The path, and whether what has that name is to be replaced; None when there was no answer.
    """
    suggested = str(Path.home() / f"{stem}{kind.suffix}")
    pattern = f"{kind.name} (*{kind.suffix})"
    text, _ = QFileDialog.getSaveFileName(parent, f"Save {kind.name}", suggested, pattern)
    if not text:
        return None
    path = Path(text)
    is_whole = path.name.lower().endswith(kind.suffix)
    # The dialog has asked about the name that was typed, not about one that is made longer.
    return (path if is_whole else path.with_name(path.name + kind.suffix)), is_whole
