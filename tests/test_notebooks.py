"""The notebooks run from the first cell to the last, on small parts of their samples."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from skimage.io import imread, imsave

from napari_ssp.io import samples

if TYPE_CHECKING:
    from types import ModuleType

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
NUCLEI = "fluorescent_nuclei.png"


@pytest.fixture
def notebooks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that runs them for the documentation."""
    monkeypatch.syspath_prepend(SCRIPTS)
    import notebooks

    return notebooks


def test_all_notebooks_run_and_show_what_their_text_says(
    notebooks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, pictures = tmp_path / "samples", tmp_path / "pictures"
    shutil.copytree(samples._FOLDER, small)
    imsave(small / NUCLEI, imread(small / NUCLEI)[:256, :256], check_contrast=False)
    monkeypatch.setattr(samples, "_FOLDER", small)
    pictures.mkdir()

    page = notebooks.page(pictures)

    found = sorted(path.stem for path in notebooks.FOLDER.glob("*.ipynb"))
    assert sorted(notebooks.NAMES) == found
    (count,) = re.findall(r"^(\d+) nuclei$", page, re.MULTILINE)
    assert 20 <= int(count) <= 40
    assert "'area_um2'" in page
    assert "(13, 160, 160)" in page
    (correlation,) = re.findall(r"^Pearson correlation (.+)$", page, re.MULTILINE)
    assert float(correlation) > 0.7
    assert "3 images to learn from 'mediar-starter' (all), 1 for validation" in page
    assert re.search(r"F1 .+ before: not installed\. Only \d+ objects? could be scored", page)
    drawn = re.findall(r"\(pictures/(.+)\.png\)", page)
    assert drawn == ["segment_and_measure-3", "segment_and_measure-5", "predict_structures-5"]
    for name in drawn:
        assert imread(pictures / f"{name}.png")[..., :3].std() > 10, f"{name} is blank"
