from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_ssp.progress import run as drive
from napari_ssp.service import TrainStructuresRequest, plan_training
from napari_ssp.service.training.structures.data import load_structures
from napari_ssp.service.training.structures.plan import find_structure_files
from napari_ssp.training.structures.parts import set_aside
from napari_ssp.training.structures.stack_store import StackStore

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (4, 200, 24)


def _write(folder: Path, task: str, count: int, shape: tuple[int, ...] = SHAPE) -> Path:
    for k in range(count):
        pixels = np.random.default_rng(k).integers(0, 200, shape).astype(np.uint8)
        for part in ("signal", "target"):
            path = folder / task / part / f"{task}{k}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, pixels, photometric="minisblack")
    return folder / task


def _request(folder: Path, *data: Path, **choices: Any) -> TrainStructuresRequest:
    return TrainStructuresRequest(data, folder / "run", **choices)


def test_what_is_found_and_set_aside_is_said_before(tmp_path: Path) -> None:
    many, few = _write(tmp_path, "dna", 5), _write(tmp_path, "actin", 2)
    short = _write(tmp_path, "axons", 1, (4, 60, 24))
    (many / "signal" / "notes.txt").touch()
    request = _request(tmp_path, many, few, short)
    plan = plan_training(request)
    assert plan.summary == (
        "5 stacks of dna, 2 stacks of actin, 1 stack of axons to learn from scratch, 1 stack of "
        "them for validation and a strip of 2 stacks for validation, set aside by itself; at most "
        "30 minutes, of which scoring takes a fifth at most."
    )
    assert any("notes.txt" in warning for warning in plan.warnings)
    assert any("Too small to set a strip aside: axons0" in warning for warning in plan.warnings)
    assert plan.strip
    assert not request.output.exists()

    files = find_structure_files(request, None)
    data = drive(load_structures(files.training, (), files.order, StackStore(tmp_path / "none")))
    learned, scored = set_aside(data.training)
    assert tuple(pair.name for pair in learned) == plan.training
    assert {pair.name for pair in scored} == {*plan.validation, "actin0", "actin1"}


def test_a_new_structure_is_said(tmp_path: Path, tiny_structures: Path) -> None:
    request = _request(tmp_path, _write(tmp_path, "actin", 1), base=str(tiny_structures))
    plan = plan_training(request)
    assert "as one more structure of 'tiny-structures', whose others stay" in plan.summary
    assert any("taken to have the base's, 0.29 × 0.29 × 0.29" in w for w in plan.warnings)


def test_tables_say_what_is_scored(tmp_path: Path) -> None:
    _write(tmp_path, "dna", 3)
    rows = [
        f"dna/signal/dna{k}.tif,dna/target/dna{k}.tif,dna,{s}"
        for k, s in enumerate(("train", "", "val"))
    ]
    table = tmp_path / "pairs.csv"
    table.write_text("\n".join(["signal,target,task,split", *rows]))
    plan = plan_training(_request(tmp_path, table))
    assert (plan.training, plan.validation) == (("dna0", "dna1"), ("dna2",))
    plan = plan_training(_request(tmp_path, table, validation=(table,)))
    assert plan.validation == ("dna1", "dna2")
    assert any("scored as well: dna1" in warning for warning in plan.warnings)


def test_all_problems_are_said_together(tmp_path: Path) -> None:
    data, other = _write(tmp_path, "dna", 5), _write(tmp_path, "actin", 1)
    (data / "signal" / "dna0.tif").write_bytes(b"II*\0 broken")
    (data / "target" / "dna1.tif").unlink()
    for path, shape, kind in (
        (data / "target" / "dna2.tif", (4, 20, 25), "minisblack"),
        (data / "signal" / "dna3.tif", (20, 24), "minisblack"),
        (other / "signal" / "actin0.tif", (9, 24, 3), "rgb"),
    ):
        tifffile.imwrite(path, np.ones(shape, np.uint8), photometric=kind)
    request = _request(tmp_path, data, other, tmp_path / "empty")
    with pytest.raises(ValueError, match="6 of 7 pairs or sources cannot be used") as caught:
        plan_training(request)
    for words in (
        "dna0: ",
        "no target for dna1.tif",
        "dna2: the signal is (4, 200, 24) and the target (4, 20, 25)",
        "dna3: the signal is (1, 20, 24)",
        "actin0: the signal is a colour image",
        "has no 'signal'",
    ):
        assert words in str(caught.value)
    assert not request.output.exists()


def test_planning_loads_no_torch(tmp_path: Path) -> None:
    folder = _write(tmp_path, "dna", 2)
    code = (
        "import sys; from pathlib import Path; from napari_ssp.service import *\n"
        f"request = TrainStructuresRequest((Path({str(folder)!r}),), Path('run'))\n"
        "plan_training(request)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
