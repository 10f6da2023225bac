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
        if name.partition(".")[0] in ("pylibCZIrw", "nd2", "liffile"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import numpy as np
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image
image = MicroscopyImage(np.zeros((3, 4), "u1"), "yx")
folder = sys.argv[1]
for path in sys.argv[2:]:
    try:
        read_image(path)
    except ModuleNotFoundError as error:
        print(error)
print(read_image(write_image(f"{folder}/a.tif", image)).shape)
"""


def test_a_missing_extra_is_named_and_the_rest_works(shared_data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", WITHOUT, str(tmp_path)]
    starts = {"a.nd2": b"\xda\xce\xbe\x0a", "a.lif": b"\x70\0\0\0"}
    for name, start in starts.items():
        (tmp_path / name).write_bytes(start + bytes(60))
    command.append(str(shared_data / "reader_files" / "aics_single_plane.czi"))
    command += [str(tmp_path / name) for name in starts]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    czi, nd2, lif, tiff = done.stdout.splitlines()
    assert "aics_single_plane.czi' needs the library pylibCZIrw" in czi
    assert czi.endswith('Install it with: pip install "napari-ssp[czi]"')
    assert nd2.endswith('Install it with: pip install "napari-ssp[nd2]"')
    assert lif.endswith('Install it with: pip install "napari-ssp[lif]"')
    assert "a.lif' needs the library liffile" in lif
    assert tiff == "(3, 4)"
    assert done.stderr == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.lif", "a.nd2", "a.tif"]


def test_a_module_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"needs the library nowhere_9, which.*\[czi\]"):
        import_extra("nowhere_9.part", "czi", tmp_path)
