"""The table of costs: what it computes, and that the page shows what the script prints."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def costs() -> Any:
    spec = importlib.util.spec_from_file_location("scale_costs", ROOT / "benchmarks/scale_costs.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules["scale_costs"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_costs_follow_from_the_figures(costs: Any) -> None:
    figures = costs.Figures("x", seconds=3.6, read=1.0, written=0.1, sent=16.0)
    table = costs.make_table(figures, workers=10, lost_per_hour=0.01).splitlines()
    slide = next(line for line in table if "slide" in line).strip("| ").split(" | ")
    # 10 by 10 blocks of 2048, each seen with 262 pixels around it: 1.577 times 400 million pixels.
    assert slide[1:6] == ["4e+08", "100", "631 MB", "0 B", "40 MB"]
    hours = 4e8 * ((2048 + 524) / 2048) ** 2 * 3.6e-6 / 3600
    assert [float(cell) for cell in slide[6:9]] == pytest.approx(
        [hours, hours / 10 / 24, hours * 0.01], rel=0.05
    )
    image = next(line for line in table if "1024 × 1024" in line).strip("| ").split(" | ")
    assert image[3:6] == ["1.05 MB", "16.8 MB", "105 kB"]  # not by blocks, so it comes back
    assert float(slide[9]) == pytest.approx(hours * 0.01 * hours / 100 / 2, rel=0.05)


def test_the_page_shows_what_the_script_prints(costs: Any) -> None:
    figures = costs.Figures(**json.loads(costs.FIGURES.read_text(encoding="utf-8")))
    assert costs.make_table(figures) in (ROOT / "docs/scale.md").read_text(encoding="utf-8")
