"""The Models dock in a real viewer: cards, downloads, imports, removal, the way to other docks."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from dock_driver import LONG
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent, QGuiApplication
from qtpy.QtWidgets import QInputDialog, QLabel, QMessageBox

from napari_ssp.progress import run
from napari_ssp.registry import (
    ModelCard,
    add_catalogue,
    export_bioimage_steps,
    export_steps,
    list_catalogue,
)
from napari_ssp.service import JobState
from napari_ssp.widgets.models.card_page import card_page
from napari_ssp.widgets.models.dock import ModelsDock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import napari
    from pytestqt.qtbot import QtBot

    from napari_ssp.widgets.docks.relay import Outcome


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(folder))
    return folder


@pytest.fixture
def models_dock(viewer: napari.Viewer, cache: Path) -> ModelsDock:
    _, dock = viewer.window.add_plugin_dock_widget("napari-ssp", "Models")
    assert isinstance(dock, ModelsDock)
    return dock


@pytest.fixture(scope="session")
def package(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(export_steps(tiny_model, tmp_path_factory.mktemp("package") / "tiny.zip"))


@pytest.fixture
def site(package: Path) -> Iterator[str]:
    """Address of a lab's catalogue that offers the tiny model."""
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    remote = {"name": "tiny.zip", "urls": ["tiny.zip"], "sha256": digest}
    entry = {"name": "lab-cells", "family": "mediar", "network": {}, "sha256": "", "remote": remote}
    entry |= {"licence": "MIT", "description": "Cells of a lab.", "tasks": ["cells"]}
    (package.parent / "catalogue.json").write_text(json.dumps({"models": [entry]}))

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(package.parent))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/catalogue.json"
    server.shutdown()
    server.server_close()
    thread.join()


def _ended(dock: ModelsDock, qtbot: QtBot, act: Any) -> Outcome:
    with qtbot.waitSignal(dock.done, timeout=LONG) as done:
        act()
    outcome: Outcome = done.args[0]
    return outcome


def _drop(dock: ModelsDock, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    dock.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys))


def test_cards_are_listed_searched_and_read(models_dock: ModelsDock) -> None:
    names = [card.name for card in list_catalogue()]
    assert models_dock.list.value() == "mediar-starter"
    assert models_dock.list.entries.count() == len(names) > 2
    text = models_dock.view.toPlainText()
    assert all(words in text for words in ("licence", "training data", "512 × 512", "F1 at IoU"))
    models_dock.list.search.setText("MEDIAR-ensemble 970")
    assert models_dock.list.value() == "mediar-ensemble"
    assert not models_dock.use_button.isEnabled()
    assert models_dock.panel.run_button.isEnabled()
    assert "To download" in models_dock.panel.plan.text().replace("\N{NO-BREAK SPACE}", " ")
    models_dock.list.search.setText("unheard-of")
    assert models_dock.list.value() == ""
    assert not models_dock.list.nothing.isHidden()
    models_dock.list.set_value("mediar-phase1")
    assert models_dock.list.value() == "mediar-phase1"


def test_nothing_on_a_card_is_taken_for_html() -> None:
    card = ModelCard("x", "mediar", {}, "", description="<b>a</b>", licence="<script>", figures={})
    page = card_page(card)
    assert "&lt;b&gt;a" in page
    assert "<script>" not in page
    assert '<a href="https://a.b/c"' in card_page(
        ModelCard("x", "m", {}, "", origin="https://a.b/c")
    )


def test_a_model_is_downloaded_and_used(
    viewer: napari.Viewer, models_dock: ModelsDock, site: str, qtbot: QtBot
) -> None:
    _, segment = viewer.window.add_plugin_dock_widget("napari-ssp", "Segment")
    run(add_catalogue(site))
    models_dock.refresh()
    models_dock.list.set_value("lab-cells")
    outcome = _ended(models_dock, qtbot, models_dock.panel.run_button.click)
    assert outcome.state is JobState.DONE, outcome.error
    assert "'lab-cells' is installed" in models_dock.panel.message.text()
    assert "lab-cells" in segment.form._model_choices()[-1]
    assert segment.form.value().model == "mediar-starter"
    assert models_dock.panel.run_button.isHidden()
    assert models_dock.use_button.text() == "Use in Segment"
    models_dock.use_button.click()
    assert segment.form.value().model == "lab-cells"


def test_a_server_that_is_gone_is_a_sentence(
    models_dock: ModelsDock, site: str, package: Path, qtbot: QtBot
) -> None:
    run(add_catalogue(site))
    content = json.loads((package.parent / "catalogue.json").read_text())
    content["models"][0]["remote"]["urls"] = ["elsewhere.zip"]
    (package.parent / "catalogue.json").write_text(json.dumps(content))
    run(add_catalogue(site))
    models_dock.refresh()
    models_dock.list.set_value("lab-cells")
    outcome = _ended(models_dock, qtbot, models_dock.panel.run_button.click)
    assert outcome.state is JobState.FAILED
    text = models_dock.panel.message.text()
    assert "'lab-cells' could not be downloaded" in text
    assert "Traceback" not in text
    assert models_dock.panel.run_button.isEnabled()


def test_without_a_network_the_dock_says_what_can_be_done(
    viewer: napari.Viewer, models_dock: ModelsDock, tmp_path: Path, package: Path, qtbot: QtBot
) -> None:
    address = f"http://nowhere.invalid/{'a' * 300}/tiny.zip"
    remote = {"name": "tiny.zip", "urls": [address], "sha256": "0" * 64}
    entry = {"name": "lab-cells", "family": "mediar", "network": {}, "sha256": "", "remote": remote}
    lab = tmp_path / "lab"
    lab.mkdir()
    (lab / "catalogue.json").write_text(json.dumps({"models": [entry]}))
    run(add_catalogue(str(lab)))
    models_dock.refresh()
    models_dock.list.set_value("lab-cells")
    viewer.window._qt_window.show()
    qtbot.waitUntil(lambda: models_dock.width() > 200, timeout=LONG)
    assert models_dock.by_hand.isHidden()
    width, least = models_dock.width(), models_dock.minimumSizeHint().width()
    began = time.monotonic()
    outcome = _ended(models_dock, qtbot, models_dock.panel.run_button.click)
    assert time.monotonic() - began < 5
    assert outcome.state is JobState.FAILED
    text = models_dock.panel.message.text()
    assert text.startswith("'lab-cells' could not be downloaded. nowhere.invalid could not be")
    assert "This computer " in text
    assert address not in text
    qtbot.wait(50)
    assert (models_dock.width(), models_dock.minimumSizeHint().width()) == (width, least)
    assert not models_dock.by_hand.isHidden()
    assert "get tiny.zip in a browser" in models_dock.by_hand.steps.text()
    models_dock.by_hand.copy_button.click()
    assert QGuiApplication.clipboard().text() == address
    _ended(models_dock, qtbot, models_dock.by_hand.retry_button.click)
    assert not models_dock.by_hand.isHidden()
    outcome = _ended(models_dock, qtbot, lambda: models_dock.import_paths([package]))
    assert outcome.state is JobState.DONE
    assert models_dock.by_hand.isHidden()


def test_a_long_address_in_a_message_widens_no_dock(
    viewer: napari.Viewer, models_dock: ModelsDock, qtbot: QtBot
) -> None:
    viewer.window._qt_window.show()
    qtbot.waitUntil(lambda: models_dock.width() > 200, timeout=LONG)
    width, least = models_dock.width(), models_dock.minimumSizeHint().width()
    address = f"https://somewhere.example/{'x' * 300}"
    models_dock.panel.set_message(f"{address} does not exist. Check the address.", "error")
    models_dock.panel.set_obstacle(f"{address} is no model.")
    qtbot.wait(50)
    assert (models_dock.width(), models_dock.minimumSizeHint().width()) == (width, least)
    message = models_dock.panel.message
    shown = QLabel.text(message)
    assert "…" in shown
    assert shown.endswith("does not exist. Check the address.")
    measured = max(message.fontMetrics().horizontalAdvance(word) for word in shown.split())
    assert measured <= message.width()
    assert message.text().startswith(address)
    assert message.toolTip() == message.text()
    message.setText("Short.")
    assert (QLabel.text(message), message.toolTip()) == ("Short.", "")


def test_a_labs_catalogue_is_added(
    models_dock: ModelsDock, tiny_model: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: Any
) -> None:
    lab = tmp_path / "lab"
    shutil.copytree(tiny_model, lab / "tiny")
    answers = [(str(tmp_path / "elsewhere"), True), (str(lab), True), ("", False)]
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: answers.pop(0))
    *_, action = models_dock.import_button.menu().actions()
    assert action.text() == "Catalogue of a lab…"
    with qtbot.waitSignal(models_dock.done, timeout=LONG):
        action.trigger()
    assert "does not exist; give a folder or an address" in models_dock.panel.message.text()
    with qtbot.waitSignal(models_dock.done, timeout=LONG):
        action.trigger()
    assert models_dock.panel.message.text() == "The catalogue offers: tiny."
    models_dock.list.set_value("tiny")
    assert models_dock.use_button.isEnabled()
    assert not models_dock.remove_button.isEnabled()  # the lab's, not the person's
    action.trigger()
    assert not models_dock.controller.is_running


def test_files_and_folders_are_dropped(
    models_dock: ModelsDock, package: Path, tiny_structures: Path, cache: Path, qtbot: QtBot
) -> None:
    ended: list[Any] = []
    models_dock.done.connect(ended.append)
    _drop(models_dock, package, tiny_structures)
    qtbot.waitUntil(lambda: len(ended) == 2, timeout=LONG)
    assert [outcome.error for outcome in ended] == [None, None]
    assert sorted(p.name for p in (cache / "models").iterdir()) == ["tiny", "tiny-structures"]
    assert models_dock.list.value() == "tiny-structures"
    assert models_dock.use_button.text() == "Use in Predict structures"


def test_a_taken_name_is_asked_for(
    models_dock: ModelsDock,
    package: Path,
    cache: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _ended(models_dock, qtbot, lambda: models_dock.import_paths([package]))
    asked: list[str] = []

    def answer(*words: Any) -> tuple[str, bool]:
        asked.append(words[2])
        return str(words[-1]), True

    monkeypatch.setattr(QInputDialog, "getText", staticmethod(answer))
    outcome = _ended(models_dock, qtbot, lambda: models_dock.import_paths([package]))
    assert outcome.state is JobState.DONE
    assert "There is a model 'tiny' already" in asked[0]
    assert models_dock.list.value() == "tiny-2"
    monkeypatch.setattr(QInputDialog, "getText", staticmethod(lambda *_: ("", False)))
    outcome = _ended(models_dock, qtbot, lambda: models_dock.import_paths([package]))
    assert outcome.state is JobState.FAILED
    assert "There is a model 'tiny' already" in models_dock.panel.message.text()


@pytest.mark.filterwarnings("ignore")
def test_a_program_is_imported_after_a_question(
    models_dock: ModelsDock,
    tiny_model: Path,
    tmp_path: Path,
    cache: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = run(export_bioimage_steps(tiny_model, tmp_path / "package.zip"))
    asked: list[str] = []
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]

    def answer(*words: Any) -> Any:
        asked.append(words[2])
        return answers.pop(0)

    monkeypatch.setattr(QMessageBox, "question", staticmethod(answer))
    outcome = _ended(models_dock, qtbot, lambda: _drop(models_dock, path))
    assert outcome.state is JobState.FAILED
    assert "holds a program (TorchScript)" in asked[0]
    assert not list((cache / "models").glob("*"))
    outcome = _ended(models_dock, qtbot, lambda: _drop(models_dock, path))
    assert outcome.state is JobState.DONE, outcome.error
    assert models_dock.list.value() == "tiny-cells"
    assert "TorchScript program, gives flows" in models_dock.view.toPlainText()
    assert models_dock.use_button.text() == "Use in Segment"


def test_what_is_no_model_is_refused_with_its_reason(
    models_dock: ModelsDock, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary")
    outcome = _ended(models_dock, qtbot, lambda: _drop(models_dock, path))
    assert outcome.state is JobState.FAILED
    assert "notes.txt is no model that is known here" in models_dock.panel.message.text()


def test_a_model_is_removed_after_a_question(
    models_dock: ModelsDock, tiny_model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not models_dock.remove_button.isEnabled()  # the starter is part of the package
    folder = cache / "models" / "tiny"
    shutil.copytree(tiny_model, folder)
    models_dock.refresh()
    models_dock.list.set_value("tiny")
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", staticmethod(lambda *_: answers.pop(0)))
    models_dock.remove_button.click()
    assert folder.exists()
    models_dock.remove_button.click()
    assert not folder.exists()
    assert "tiny" not in [card.name for card in models_dock.list._cards]
    assert "Removed 'tiny'" in models_dock.panel.message.text()
