"""What a person sees who has napari-ssp without its extras."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from napari_ssp.io.errors import import_extra

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pylibCZIrw":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import numpy as np
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image
image = MicroscopyImage(np.zeros((3, 4), "u1"), "yx")
folder = sys.argv[1]
try:
    read_image(f"{sys.argv[2]}/aics_single_plane.czi")
except ModuleNotFoundError as error:
    print(error)
print(read_image(write_image(f"{folder}/a.tif", image)).shape)
"""


def test_a_missing_extra_is_named_and_the_rest_works(shared_data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", WITHOUT, str(tmp_path)]
    command.append(str(shared_data / "reader_files"))
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    czi, tiff = done.stdout.splitlines()
    assert "aics_single_plane.czi' needs the library pylibCZIrw" in czi
    assert czi.endswith('Install it with: pip install "napari-ssp[czi]"')
    assert tiff == "(3, 4)"
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_module_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"needs the library nowhere_9, which.*\[czi\]"):
        import_extra("nowhere_9.part", "czi", tmp_path)
