"""``make demo``, as far as it needs no other screen than that of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from skimage.io import imread

DEMO = Path(__file__).resolve().parents[2] / "scripts" / "demo.py"


def test_the_demo_shows_cells_and_says_how_many(tmp_path: Path) -> None:
    picture = tmp_path / "demo.png"
    done = subprocess.run(
        [sys.executable, str(DEMO), "--sample", "stained_nuclei", "--screenshot", str(picture)],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert "Found" in done.stdout
    assert str(picture) in done.stdout
    canvas = imread(picture)[200:700, 500:1000, :3]
    assert len(np.unique(canvas.reshape(-1, 3), axis=0)) > 100, "the canvas is blank"
