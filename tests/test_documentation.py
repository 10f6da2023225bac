"""The site shows every page, every dock and every shipped model."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml

from napari_ssp.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
#: Pages that the build adds.
ADDED = {"notebooks.md", "contributing.md", "changelog.md", "security.md"}
NAVIGATION = (ROOT / "zensical.toml").read_text(encoding="utf-8")
MANIFEST = yaml.safe_load((ROOT / "napari.yaml").read_text(encoding="utf-8"))
#: Menus and entries of napari itself, and of QuPath.
MENUS = set(
    "File Plugins Layers Annotate Filter Measure Segment Data Preferences Shortcuts".split()
)
MENUS |= {
    "Import objects",
    "Open Sample",
    "napari-ssp",
    "Save Selected Layers…",
    "Save Selected Layers",
}


def test_every_page_is_in_the_navigation() -> None:
    shown = set(re.findall(r'= "([\w/-]+\.md)"', NAVIGATION))
    written = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert shown == written | ADDED


def test_every_dock_has_a_page_with_a_picture() -> None:
    (docks,) = [
        section["Docks"]
        for section in tomllib.loads(NAVIGATION)["project"]["nav"]
        if "Docks" in section
    ]
    pages = {title: path for page in docks for title, path in page.items()}
    assert set(pages) == {dock["display_name"] for dock in MANIFEST["contributions"]["widgets"]}
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


def _commands() -> Iterator[tuple[str, list[str]]]:
    """Page and arguments of each command line of the site that begins with ``napari-ssp``."""
    for page in (*DOCS.rglob("*.md"), ROOT / "README.md"):
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        lines = [line for block in blocks for line in block.splitlines()]
        lines += re.findall(r"`(napari-ssp [^`]+)`", re.sub(r"(?s)```.*?```", "", text))
        for line in lines:
            if line.startswith("napari-ssp "):
                words = shlex.split(line, comments=True)[1:]
                yield page.name, [word for word in words if word not in ("...", "[WORDS]")]


def test_command_lines_of_the_pages_have_options_that_there_are() -> None:
    commands = list(_commands())
    assert len(commands) > 100
    for page, words in commands:
        command: click.Command = main
        context = click.Context(main)
        while isinstance(command, click.Group) and words:
            _, words, _ = command.make_parser(context).parse_args(words)
            if words:
                name, *words = words
                found = command.get_command(context, name)
                assert found is not None, f"{page}: {name}"
                command, context = found, click.Context(found, parent=context)
        if not isinstance(command, click.Group):
            command.make_parser(context).parse_args(words)  # raises, and names the option


def test_menus_docks_and_settings_have_the_names_that_pages_say() -> None:
    names = {*MENUS, *re.findall(r"(?:title|display_name): (.+)", yaml.safe_dump(MANIFEST))}
    names |= {
        f"{dock['display_name']} (napari-ssp)" for dock in MANIFEST["contributions"]["widgets"]
    }
    sources = (ROOT / "src" / "napari_ssp").rglob("*.py")
    source = "\0".join(path.read_text(encoding="utf-8") for path in sources)
    paths = [
        (page.name, name.split(" > "))
        for page in DOCS.rglob("*.md")
        for name in re.findall(r"(?<=\*)\b([^*`]+ > [^*`]+)\*", page.read_text(encoding="utf-8"))
    ]
    assert len(paths) > 30
    for page, path in paths:
        for part in map(" ".join, map(str.split, path)):
            assert part in names or f'"{part}"' in source, f"{page}: {' > '.join(path)}"
