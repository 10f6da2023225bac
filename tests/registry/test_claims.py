"""Claims on results, held by other processes and left by killed ones."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from napari_ssp.registry.claims import claimed

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from napari_ssp.registry.claims import claimed
with claimed(map(Path, sys.argv[1:])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _hold(*targets: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, *map(str, targets)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    return holder


def test_one_result_is_made_by_one_process(tmp_path: Path, own_cache: Path) -> None:
    holder = _hold(tmp_path / "a.zarr", tmp_path / "b.zarr", tmp_path / "c.zarr")
    with claimed([tmp_path / "d.zarr"]):  # another one is free
        with pytest.raises(BlockingIOError, match=r"is making '.*b\.zarr' and 1 more at this"):
            with claimed([tmp_path / "e.zarr", tmp_path / "b.zarr", tmp_path / "c.zarr"]):
                pass
        with pytest.raises(BlockingIOError, match=r"d\.zarr' at this"):  # of its own process, too
            with claimed([tmp_path / "sub" / ".." / "d.zarr"]):
                pass
    holder.communicate("\n", timeout=30)
    with claimed([tmp_path / "b.zarr"]):
        pass
    assert not list((own_cache / "locks" / "results").iterdir())


def test_a_killed_process_holds_nothing(tmp_path: Path, own_cache: Path) -> None:
    holder = _hold(tmp_path / "a.zarr")
    holder.kill()
    holder.communicate(timeout=30)
    left = list((own_cache / "locks" / "results").glob("*.json"))
    assert len(left) == 1
    with claimed([tmp_path / "a.zarr"]):
        assert not left[0].exists()


def test_work_goes_on_where_no_claim_can_be_made(tmp_path: Path, own_cache: Path) -> None:
    own_cache.write_text("a file in the place of the folder")
    with claimed([tmp_path / "a.zarr"]):
        pass
