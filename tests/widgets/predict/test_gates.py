from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel

from napari_ssp.widgets.predict.gate_panel import GatePanel
from napari_ssp.widgets.predict.gate_view import EXPERTS, GateBar, GateView

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

SHARES = (0.4, 0.1, 0.2, 0.05, 0.25)


@pytest.mark.parametrize("shares", [SHARES, (*SHARES[:-1], 0.15, 0.1)])
def test_a_bar_is_painted_in_proportion(qtbot: QtBot, shares: tuple[float, ...]) -> None:
    bar = GateBar("encoder 1", shares)
    qtbot.addWidget(bar)
    bar.resize(200, 14)
    picture = bar.grab().toImage()
    row = [picture.pixelColor(x, 7).name() for x in range(picture.width())]
    for (_, colour), share in zip(EXPERTS, shares, strict=False):
        assert row.count(QColor(colour).name()) == pytest.approx(share * len(row), abs=2)
    assert row[0] == EXPERTS[0][1]
    assert row[-1] == EXPERTS[len(shares) - 1][1]


def test_a_bar_tells_its_numbers(qtbot: QtBot) -> None:
    bar = GateBar("encoder 1", SHARES)
    qtbot.addWidget(bar)
    assert bar.text().splitlines()[:2] == ["encoder 1", "5×5×5: 40 %"]
    assert bar.accessibleName() == bar.text()


def test_the_view_shows_means_over_channels_block_by_block(qtbot: QtBot) -> None:
    view = GateView()
    qtbot.addWidget(view)
    rng = np.random.default_rng(0)
    gates = {name: rng.dirichlet(np.ones(5), 8).T for name in ("encoder 1", "output")}
    for _ in range(2):  # the second replaces the first
        view.set_gates(gates)
        assert [bar.block for bar in view.bars] == ["encoder 1", "output"]
        for bar, weights in zip(view.bars, gates.values(), strict=True):
            np.testing.assert_allclose(bar.shares, weights.mean(1))
            assert sum(bar.shares) == pytest.approx(1)


@pytest.mark.parametrize(("experts", "is_named"), [(5, False), (6, True)])
def test_the_legend_names_what_there_is(qtbot: QtBot, experts: int, is_named: bool) -> None:
    view = GateView()
    qtbot.addWidget(view)
    view.set_gates({"output": np.full((experts, 3), 1 / experts, np.float32)})
    words = " ".join(label.text() for label in view.findChildren(QLabel))
    assert "average 5×5×5" in words
    assert ("its own" in words) == is_named


@pytest.fixture
def panel(qtbot: QtBot) -> GatePanel:
    panel = GatePanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


def test_gates_are_asked_for_when_they_are_looked_at(panel: GatePanel) -> None:
    asked: list[Any] = []
    panel.wanted.connect(lambda model, task: asked.append((model, task)))
    panel.set_tasks("mine", ["dna", "nucleoli"])
    panel.suggest("nucleoli")
    assert asked == []
    panel.fold.click()
    assert asked == [("mine", "nucleoli")]
    assert panel.message.text() == "loading …"
    panel.set_gates({"output": np.full((5, 1), 0.2)})
    assert not panel.message.isVisible()
    panel.suggest("dna")
    panel.set_tasks("mine", ["dna", "nucleoli"])
    panel.fold.click()
    panel.fold.click()
    assert asked == [("mine", "nucleoli")], "they are there"
    panel.task_box.set_value("dna")
    panel.set_tasks("other", ["dna"])
    assert asked[1:] == [("mine", "dna"), ("other", "dna")]
