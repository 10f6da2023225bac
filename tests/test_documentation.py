"""The site shows every page, every dock and every shipped model."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
#: Pages that the build adds.
ADDED = {"notebooks.md", "contributing.md", "changelog.md", "security.md"}
NAVIGATION = (ROOT / "zensical.toml").read_text(encoding="utf-8")


def test_every_page_is_in_the_navigation() -> None:
    shown = set(re.findall(r'= "([\w/-]+\.md)"', NAVIGATION))
    written = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert shown == written | ADDED


def test_every_dock_has_a_page_with_a_picture() -> None:
    manifest = yaml.safe_load((ROOT / "napari.yaml").read_text(encoding="utf-8"))
    (docks,) = [
        section["Docks"]
        for section in tomllib.loads(NAVIGATION)["project"]["nav"]
        if "Docks" in section
    ]
    pages = {title: path for page in docks for title, path in page.items()}
    assert set(pages) == {dock["display_name"] for dock in manifest["contributions"]["widgets"]}
    for path in pages.values():
        assert "![" in (DOCS / path).read_text(encoding="utf-8"), path


def test_every_page_and_picture_that_pages_lead_to_is_there() -> None:
    led_to = {
        (page.parent / path).resolve()
        for page in DOCS.rglob("*.md")
        for path in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    }
    assert len(led_to) > 40
    assert {path for path in led_to if not path.exists()} <= {DOCS / name for name in ADDED}


def test_the_table_of_models_has_every_shipped_one() -> None:
    table = (DOCS / "models" / "index.md").read_text(encoding="utf-8")
    starters = ROOT / "src" / "napari_ssp" / "registry" / "starter"
    shipped = {card.parent.name for card in starters.glob("*/card.json")}
    assert len(shipped) >= 3
    assert {name for name in shipped if f"| [{name}]({name}.md) |" not in table} == set()
