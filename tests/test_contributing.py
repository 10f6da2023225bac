"""The guide for the next engineer is true to the code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "CONTRIBUTING.md"


def test_every_file_that_the_guide_names_is_there() -> None:
    named = re.findall(r"`([\w/.]+\.(?:py|txt|md|yaml))(?::\w+)?`", GUIDE.read_text("utf-8"))
    assert len(named) > 20
    places = (ROOT, ROOT / "src" / "napari_ssp", ROOT / "docs")
    missing = [name for name in named if not any((place / name).exists() for place in places)]
    assert [name for name in missing if name != "card.json"] == []
