"""Build the documentation site into ``build/documentation/site``: ``make docs``.

The pages are ``docs``, with CONTRIBUTING.md, CHANGELOG.md and SECURITY.md beside them, the help of
all commands, and the notebooks, which are run. A link that leads nowhere, or any other warning,
ends the build.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import command_page
import notebooks

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "documentation"
_BESIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")


def main() -> int:
    """Lay out the pages and hand them to Zensical."""
    shutil.rmtree(BUILD, ignore_errors=True)
    shutil.copytree(ROOT / "docs", pages := BUILD / "docs")
    for page in pages.rglob("*.md"):
        page.write_text(_lead_inside(page.read_text(encoding="utf-8")), encoding="utf-8")
    for name in _BESIDE:
        text = (ROOT / name).read_text(encoding="utf-8")
        (pages / name.lower()).write_text(text.replace("](docs/", "]("), encoding="utf-8")
    (pages / "notebooks.md").write_text(notebooks.page(pages / "images"), encoding="utf-8")
    with (pages / "command-line.md").open("a", encoding="utf-8") as page:
        page.write(command_page.sections())
    (BUILD / "zensical.toml").write_text(_configuration(), encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    return subprocess.run(command, cwd=BUILD, check=False).returncode


def _lead_inside(text: str) -> str:
    """Point links from ``docs`` to files above it at their copies."""
    for name in _BESIDE:
        text = text.replace(f"](../{name}", f"]({name.lower()}")
    return text


def _configuration() -> str:
    """Add the repository's address, where pyproject.toml knows one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    home = project["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
    text = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    text = text.replace('paths = ["src"]', f"paths = [{json.dumps(str(ROOT / 'src'))}]")
    return text.replace("[project]\n", f'[project]\nrepo_url = "{home}"\n') if home else text


if __name__ == "__main__":
    sys.exit(main())
