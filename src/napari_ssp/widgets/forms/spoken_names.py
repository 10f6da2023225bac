"""Names of controls for screen readers: the words that stand beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSlider,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QSlider,
)


def controls(root: QWidget) -> Iterator[QWidget]:
    """Find what a person operates in a widget, without the parts of other controls."""
    for widget in (root, *root.findChildren(QWidget)):
        if isinstance(widget, _CONTROLS) and not _is_part(widget, root):
            yield widget


def name_controls(root: QWidget) -> None:
    """Name each control without words of its own by the label of its row, else by its tooltip."""
    for form in root.findChildren(QFormLayout):
        for row in range(form.rowCount()):
            label = _widget(form, row, QFormLayout.ItemRole.LabelRole)
            field = _widget(form, row, QFormLayout.ItemRole.FieldRole)
            if field is not None and isinstance(label, QLabel):
                _name(field, label.text())
    _name(root)


def _widget(form: QFormLayout, row: int, role: QFormLayout.ItemRole) -> QWidget | None:
    item = form.itemAt(row, role)
    return item.widget() if item is not None else None


def _name(widget: QWidget, words: str = "") -> None:
    for control in controls(widget):
        has_text = isinstance(control, QAbstractButton) and control.text()
        if not control.accessibleName() and not has_text:
            control.setAccessibleName(words or control.toolTip())


def _is_part(widget: QWidget, root: QWidget) -> bool:
    """Tell whether a widget lies in another control, as the field of a number's box does."""
    parent = None if widget is root else widget.parentWidget()
    return parent is not None and (isinstance(parent, _CONTROLS) or _is_part(parent, root))
