"""Several processes of one user, and what a refused import leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from napari_ssp.registry.trust import is_trusted
from napari_ssp.registry.user_lists import change_list, locked, read_list

if TYPE_CHECKING:
    from pathlib import Path

ADD = """
import sys
from napari_ssp.registry.trust import trust
from napari_ssp.registry.user_lists import change_list
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    trust(f"{sys.argv[1]}-{number}")
    change_list("catalogues.json", lambda known: [*known, f"{sys.argv[1]}/{number}"])
"""


HOLD = """
import sys
from napari_ssp.registry.user_lists import locked
with locked("download of a"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path))


def test_processes_that_change_the_same_lists_lose_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ADD]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, name], env=os.environ, **pipes) for name in "abc"]  # type: ignore[call-overload]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    names = [f"{name}-{number}" for name in "abc" for number in range(25)]
    assert all(map(is_trusted, names))
    assert sorted(read_list("catalogues.json")) == sorted(n.replace("-", "/") for n in names)
    assert {path.name for path in tmp_path.iterdir()} == {
        "trusted.json",
        "catalogues.json",
        "locks",
    }


def test_a_lock_that_is_held_is_explained() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(BlockingIOError, match="Another window or command is working on 'download"):
        with locked("download of a"):
            pass
    holder.communicate("\n", timeout=30)
    with locked("download of a"):
        pass


def test_damaged_lists_are_empty(tmp_path: Path) -> None:
    (tmp_path / "trusted.json").write_text("[" * 100_000)
    assert read_list("trusted.json") == []
    change_list("trusted.json", lambda known: [*known, "a"])
    assert is_trusted("a")
