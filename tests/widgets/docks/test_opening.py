"""How docks come into the window: menus and manifest, without torch."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from qtpy.QtWidgets import QLabel

from napari_ssp.registry import list_cards
from napari_ssp.widgets.classes.dock import ClassesDock
from napari_ssp.widgets.compare.dock import CompareDock
from napari_ssp.widgets.compartments.dock import CompartmentsDock
from napari_ssp.widgets.edit.dock import EditDock
from napari_ssp.widgets.measure.dock import MeasureDock
from napari_ssp.widgets.predict.dock import PredictDock
from napari_ssp.widgets.segment.dock import SegmentDock
from napari_ssp.widgets.series.dock import SeriesDock
from napari_ssp.widgets.track.dock import TrackDock
from napari_ssp.widgets.train.dock import TrainDock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot


@pytest.mark.parametrize(
    ("command", "menu", "title", "kind"),
    [
        ("napari-ssp.segment", "napari/layers/segment", "Segment", SegmentDock),
        (
            "napari-ssp.compartments",
            "napari/layers/segment",
            "Cells and nuclei",
            CompartmentsDock,
        ),
        ("napari-ssp.predict", "napari/layers/filter", "Predict structures", PredictDock),
        ("napari-ssp.train", "napari/layers/annotate", "Train models", TrainDock),
        ("napari-ssp.series", "napari/layers/segment", "Series", SeriesDock),
        ("napari-ssp.edit", "napari/layers/annotate", "Edit objects", EditDock),
        ("napari-ssp.measure", "napari/layers/measure", "Measure objects", MeasureDock),
        ("napari-ssp.track", "napari/layers/measure", "Track objects", TrackDock),
        ("napari-ssp.classes", "napari/layers/measure", "Classify objects", ClassesDock),
        ("napari-ssp.compare", "napari/layers/measure", "Compare with truth", CompareDock),
    ],
)
def test_the_menus_open_the_docks(
    viewer: napari.Viewer, command: str, menu: str, title: str, kind: type
) -> None:
    from napari._app_model import get_app_model

    app = get_app_model()
    for place in (menu, "napari/plugins/napari-ssp"):
        commands = [
            item.command.id for item in app.menus.get_menu(place) if hasattr(item, "command")
        ]
        assert command in commands
    app.commands.execute_command(command).result()
    frame = viewer.window._wrapped_dock_widgets[f"{title} (napari-ssp)"]
    assert isinstance(frame.inner_widget(), kind)


def test_docks_open_from_the_manifest_and_load_torch_beside_the_window(structures: Path) -> None:
    code = (
        "import sys, threading, time, napari, numpy\n"
        "threads, opened = [], threading.Event()\n"
        "def hear(event, given):\n"
        "    if event == 'import' and given[0].split('.')[0] == 'torch':\n"
        "        threads.append(threading.current_thread().name)\n"
        "        opened.wait(60)  # however slowly docks open, loading is under way\n"
        "sys.addaudithook(hear)\n"
        "viewer = napari.Viewer(show=False)\n"
        "_, dock = viewer.window.add_plugin_dock_widget('napari-ssp', 'Segment')\n"
        "assert 'torch' not in sys.modules and not threads  # there is nothing to work on\n"
        "viewer.add_image(numpy.zeros((4, 32, 32)))\n"
        "dock.update_plan()\n"
        "assert dock.panel.run_button.isEnabled(), dock.panel.plan.text()\n"
        "_, dock = viewer.window.add_plugin_dock_widget('napari-ssp', 'Predict structures')\n"
        "dock.choose_model('tiny-structures')\n"
        "dock.update_plan()\n"
        "dock.form._tasks.set_value(['dna'])\n"
        "assert dock.update_plan() is not None, dock.panel.plan.text()\n"
        "viewer.add_labels(numpy.ones((4, 32, 32), int))\n"
        "titles = 'Measure objects', 'Compare with truth', 'Train models', 'Models'\n"
        "for title in ('Cells and nuclei', *titles):\n"
        "    viewer.window.add_plugin_dock_widget('napari-ssp', title)\n"
        "from napari_ssp.service.preparing import SEGMENTATION\n"
        "assert next(SEGMENTATION.steps('loading'), None)  # under way\n"
        "while not threads:\n"
        "    time.sleep(0.01)\n"
        "opened.set()\n"
        "print(set(threads))\n"
        "viewer.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr  # though it ends in the midst of loading
    assert done.stdout.strip() == "{'napari-ssp ahead'}"


def test_each_dock_offers_the_models_of_its_family(viewer: napari.Viewer, structures: Path) -> None:
    families = {card.name: card.family for card in list_cards()}
    for dock, family in ((SegmentDock(viewer), "mediar"), (PredictDock(viewer), "repmode")):
        box = dock.form._model
        offered = [box.itemText(i) for i in range(box.count())]
        assert offered == [name for name, kind in families.items() if kind == family]
        assert offered
        dock.close()
        dock.deleteLater()


def test_docks_that_open_later_are_tabs_of_the_first(
    make_napari_viewer: Callable[..., napari.Viewer], qtbot: QtBot
) -> None:
    window = make_napari_viewer(show=True).window
    first, _ = window.add_plugin_dock_widget("napari-ssp", "Segment")
    other = window.add_dock_widget(QLabel("of another plugin"), name="other")
    second, _ = window.add_plugin_dock_widget("napari-ssp", "Measure objects")
    qtbot.waitUntil(lambda: window._qt_window.tabifiedDockWidgets(first) == [second])
    qtbot.waitUntil(lambda: not first.visibleRegion().isEmpty() or second.isVisible())
    assert not second.visibleRegion().isEmpty()
    assert first.visibleRegion().isEmpty()
    assert not other.visibleRegion().isEmpty()


def test_a_dock_that_was_pulled_out_stays_out(
    make_napari_viewer: Callable[..., napari.Viewer], qtbot: QtBot
) -> None:
    window = make_napari_viewer(show=True).window
    first, _ = window.add_plugin_dock_widget("napari-ssp", "Segment")
    first.setFloating(True)
    second, _ = window.add_plugin_dock_widget("napari-ssp", "Measure objects")
    qtbot.wait(50)
    assert first.isFloating()
    assert window._qt_window.tabifiedDockWidgets(second) == []
