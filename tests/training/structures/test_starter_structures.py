"""Tables of the pairs that ``repmode-starter`` learns, and what its figures are measured on."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_ssp.service.training.structures.pairs import scan_structures

ROOT = Path(__file__).resolve().parents[3]
ROWS = (
    ("laminb1_fovA_1", "pairs_3d", (16, 20, 24), (16, 20, 24)),
    ("laminb1_fovB_1", "pairs_3d", (16, 20, 24), (16, 20, 24)),
    ("neurons_q00_DAPI", "stack_to_2d", (13, 20, 24), (20, 24)),
    ("neurons_q10_DAPI", "stack_to_2d", (13, 20, 24), (20, 24)),
    ("ecoli_ds1_00001", "pairs_2d", (20, 24), (20, 24)),
    ("ecoli_ds2_00066", "pairs_2d", (20, 24), (20, 24)),
    ("ecoli_ds4_00017", "pairs_2d", (20, 24), (20, 24)),
    ("saureus_dna", "pairs_2d", (20, 1376), (20, 1376)),
    ("worm_embryo", "pairs_2d", (20, 24), (20, 24)),
)


def _load(path: str) -> Any:
    file = ROOT / path
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Folder of the tables of small pairs named as the real ones."""
    data = tmp_path / "data"
    data.mkdir()
    with (data / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "group", "signal", "target"))
        for number, (name, group, *shapes) in enumerate(ROWS):
            rng, files = np.random.default_rng(number), []
            for role, shape in zip(("signal", "target"), shapes, strict=True):
                files.append(f"{name}_{role}.tif")
                pixels = rng.integers(0, 255, shape).astype(np.uint8)
                tifffile.imwrite(data / files[-1], pixels, photometric="minisblack")
            writer.writerow((name, group, *files))
    folder = tmp_path / "pairs"
    _load("scripts/starter_model.py").copy_pairs(data, folder)
    return folder


def test_what_is_kept_back_is_never_learned(pairs: Path) -> None:
    learned = {
        table.stem: sorted((pair.task, pair.name) for pair in scan_structures(table).pairs)
        for table in pairs.glob("*.csv")
    }
    assert learned == {
        "pairs": [("dapi", "neurons_q00_DAPI_signal"), ("lamin_b1", "laminb1_fovA_1_signal")],
        "ecoli_body": [("ecoli_body", "ecoli_ds1_00001_signal")],
        "saureus_dna": [("saureus_dna", "train_saureus_dna_signal")],
    }
    assert not any(scan_structures(table, ("val", "validation")).pairs for table in pairs.glob("*"))


def test_figures_are_measured_on_what_is_kept_back(pairs: Path) -> None:
    baselines = _load("benchmarks/structure_baselines.py")
    found = baselines.read_pairs(pairs)
    counts = {task: tuple(map(len, parts)) for task, parts in found.items()}
    assert counts == {
        "lamin_b1": (1, 1),
        "dapi": (1, 1),
        "ecoli_body": (1, 2),
        "saureus_dna": (1, 1),
    }
    (learned,), (kept,) = found["saureus_dna"]
    assert (learned.raw.shape, kept.raw.shape) == ((20, 896), (20, 448))
    whole = tifffile.imread(pairs.parent / "data" / "saureus_dna_signal.tif")
    np.testing.assert_array_equal(learned.raw, whole[:, :896])
    np.testing.assert_array_equal(kept.raw, whole[:, 928:])
    easy = [pair._replace(target=pair.signal) for pair in found["ecoli_body"][1]]
    score, _ = baselines.filters(easy, easy)
    assert score == pytest.approx(1, abs=0.01)
