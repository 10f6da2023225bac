"""The table of formats for users names what the code reads, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

from npe2 import PluginManifest

import napari_ssp
from napari_ssp.io import IMAGE_SUFFIXES, LABEL_ENDINGS

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "formats.md"
#: Endings of names that are more than a suffix.
LONGER = {".zarr.zip", "_seg.npy"}


def rows() -> list[list[str]]:
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_has_the_suffixes_of_the_code() -> None:
    found = {ending for row in rows() for ending in re.findall(r"`([._][\w.]+)`", row[1])}
    assert found == {*IMAGE_SUFFIXES, *LONGER}


def test_every_row_says_what_it_was_tried_on() -> None:
    assert {row[4] for row in rows()} == {"real files", "written files", "untested"}
    extras = {name for row in rows() for name in re.findall(r"extra `(\w+)`", row[2])}
    assert extras == {"czi", "nd2", "lif"}


def test_napari_offers_all_but_its_own_pictures() -> None:
    manifest = PluginManifest.from_file(Path(napari_ssp.__file__).parent / "napari.yaml")
    readers = manifest.contributions.readers or []
    patterns = {pattern for reader in readers for pattern in reader.filename_patterns}
    pictures = {".png", ".jpg", ".jpeg"}
    named = {f"*{ending}" for ending in {*IMAGE_SUFFIXES, *LONGER} - pictures}
    labels = {f"*{ending}.png" for ending in LABEL_ENDINGS} - {"*_cp_masks.png"}  # ends as another
    refused = {"*.zarr.unfinished"}  # so that it is said what they are
    assert patterns == named | labels | refused
