"""Every control of every dock has a name, a tooltip, and is reached by Tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QFormLayout, QLabel, QLineEdit, QSpinBox, QWidget

from napari_ssp.widgets.forms.spoken_names import controls, name_controls

if TYPE_CHECKING:
    import napari
    from pytestqt.qtbot import QtBot


def test_controls_of_all_docks_are_named_explained_and_in_the_order_of_tab(
    viewer: napari.Viewer, qtbot: QtBot
) -> None:
    viewer.window._qt_window.show()
    widgets = PluginManifest.from_distribution("napari-ssp").contributions.widgets or []
    mute, unexplained, unreached, count = [], [], [], 0
    for widget in widgets:
        _, dock = viewer.window.add_plugin_dock_widget("napari-ssp", widget.display_name)
        qtbot.waitUntil(dock.isVisible)
        for control in controls(dock):
            count += 1
            words = control.text() if isinstance(control, QAbstractButton) else ""
            about = f"{widget.display_name}: {type(control).__name__} {control.toolTip()!r}"
            mute += [about] * (not (words or control.accessibleName()))
            unexplained += [f"{about} {words}"] * (not control.toolTip())
            unreached += [about] * (not control.focusPolicy() & Qt.FocusPolicy.TabFocus)
    assert count > 100
    assert (mute, unexplained, unreached) == ([], [], [])


def test_a_control_has_the_words_beside_it_or_else_its_own(qtbot: QtBot) -> None:
    dock, box, own = QWidget(), QSpinBox(), QSpinBox()
    qtbot.addWidget(dock)
    own.setAccessibleName("First plane")
    form, alone = QFormLayout(dock), QLineEdit()
    alone.setToolTip("Words to look for")
    form.addRow(QLabel("Minimum size"), box)
    form.addRow(QLabel("Planes"), own)
    form.addRow(alone)
    name_controls(dock)
    assert [control.accessibleName() for control in controls(dock)] == [
        "Minimum size",
        "First plane",
        "Words to look for",
    ]
