"""Temporary folders: gone at the end, and at the next start where the end did not come."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from napari_ssp.scratch import scratch_folder

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
import os, platform, sys
from pathlib import Path
if sys.argv[2] == "elsewhere":
    platform.node = lambda: "elsewhere"
from napari_ssp.scratch import make_scratch_folder
print(make_scratch_folder(Path(sys.argv[1])), flush=True)
if sys.argv[2] != "alive":
    os._exit(9)
sys.stdin.read()
"""


def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    other = tmp_path / "napari-ssp-notes"
    other.mkdir()
    commands = [[sys.executable, "-c", CODE, str(tmp_path), how] for how in ("killed", "alive")]
    subprocess.run(commands[0], stdout=subprocess.DEVNULL, timeout=60)
    assert len(list(tmp_path.iterdir())) == 2
    with subprocess.Popen(commands[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as alive:
        of_alive = alive.stdout.readline().decode().strip()
        with scratch_folder(tmp_path) as mine:
            (mine / "file").write_bytes(b"x")
            assert sorted(map(str, tmp_path.iterdir())) == sorted([of_alive, str(other), str(mine)])
        assert not mine.exists()
        alive.kill()


def test_what_another_computer_works_on_stays(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, str(tmp_path), "elsewhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    with scratch_folder(tmp_path) as mine:
        assert {str(path) for path in tmp_path.iterdir()} == {done.stdout.strip(), str(mine)}
