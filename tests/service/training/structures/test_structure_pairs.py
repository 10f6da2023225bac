from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_ssp.progress import run as drive
from napari_ssp.service.training.pair_tables import VALIDATION_SPLITS
from napari_ssp.service.training.requests import TrainStructuresRequest
from napari_ssp.service.training.structures.data import StructureData, load_structures
from napari_ssp.service.training.structures.pairs import PairFiles, scan_structures, task_order
from napari_ssp.training.data import ScoredArray
from napari_ssp.training.structures.stack_store import StackStore

if TYPE_CHECKING:
    from pathlib import Path


def _write(path: Path, array: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, photometric="minisblack", **options)
    return path


def _stack(seed: int = 0, shape: tuple[int, ...] = (6, 20, 24)) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 4000, shape).astype(np.uint16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k in range(3):
        _write(tmp_path / "dna" / "signal" / f"s{k}.tif", _stack(k))
        _write(tmp_path / "dna" / "target" / f"s{k}.tif", _stack(k + 10))
    return tmp_path / "dna"


def _load(training: Any, validation: Any = (), budget: int = 2**31) -> StructureData:
    store = StackStore(training[0].signal.parent / ".stacks", budget)
    return drive(load_structures(training, validation, task_order(training, validation), store))


def _table(path: Path, *rows: str, header: str = "signal,target,task,split,description") -> Path:
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def test_a_folder_is_one_structure(folder: Path) -> None:
    files = scan_structures(folder, exclude=["s1"]).pairs
    assert [one.name for one in files] == ["s0", "s2"]
    data = _load(files)
    assert data.tasks == ("dna",)
    assert data.training[1].signal.shape == (6, 20, 24)
    raw = [_stack(k + 10).astype(float) for k in (0, 2)]
    expected = np.mean([r.mean() for r in raw]), np.mean([r.std() for r in raw])
    assert data.target_statistics["dna"] == pytest.approx(expected)


def test_a_table_names_tasks_splits_and_projected_targets(folder: Path, tmp_path: Path) -> None:
    _write(tmp_path / "flat.tif", _stack(5, (20, 24)))
    table = _table(
        tmp_path / "pairs.csv",
        "dna/signal/s0.tif,dna/target/s0.tif,dna,train,Nuclei",
        "dna/signal/s1.tif,flat.tif,actin,train,",
        "dna/signal/s2.tif,dna/target/s2.tif,dna,val,",
        "dna/signal/s2.tif,missing.tif,dna,test,",
    )
    training = scan_structures(table).pairs
    validation = scan_structures(table, VALIDATION_SPLITS).pairs
    data = _load(training, validation)
    assert data.tasks == ("dna", "actin")
    assert [pair.task for pair in (*data.training, *data.validation)] == [0, 1, 0]
    assert [pair.is_projected for pair in data.training] == [False, True]
    assert data.descriptions == {"dna": "Nuclei"}
    assert task_order(training, validation, ["actin", "dna"]) == ("actin", "dna")


def test_channels_of_one_file_can_be_the_pair(tmp_path: Path) -> None:
    both = np.stack([_stack(0), _stack(1)], axis=1)
    _write(tmp_path / "both.ome.tif", both, metadata={"axes": "ZCYX"}, ome=True)
    table = _table(
        tmp_path / "pairs.csv",
        "both.ome.tif,both.ome.tif,dna,0,1",
        header="signal,target,task,channel_signal,channel_target",
    )
    pair = _load(scan_structures(table).pairs).training[0]
    everything = np.s_[:, :, :]
    np.testing.assert_allclose(
        pair.target.read(everything), ScoredArray.of(_stack(1)).read(everything)
    )


def test_all_broken_pairs_are_listed_together(folder: Path, tmp_path: Path) -> None:
    (folder / "signal" / "s0.tif").write_bytes(b"II*\0 broken")
    _write(folder / "target" / "s1.tif", _stack(0, (6, 20, 25)))
    _write(folder / "target" / "s2.tif", np.full((6, 20, 24), 7, np.uint8))
    _write(tmp_path / "plane.tif", _stack(0, (20, 24)))
    files = [*scan_structures(folder).pairs]
    files.append(PairFiles(tmp_path / "plane.tif", folder / "target" / "s0.tif", "dna"))
    files.append(PairFiles(tmp_path / "gone.tif", tmp_path / "gone.tif", "dna"))
    with pytest.raises(ValueError, match="5 of 5 pairs cannot be used") as caught:
        _load(files)
    message = str(caught.value)
    for words in ("s0: ", "(6, 20, 25)", "have the value 7", "(1, 20, 24)", "no file"):
        assert words in message


def test_signals_without_targets_and_lacking_folders_are_said(folder: Path, tmp_path: Path) -> None:
    (folder / "target" / "s1.tif").rename(folder / "target" / "other.tif")
    (folder / "signal" / "notes.txt").touch()
    scan = scan_structures(folder)
    assert [pair.name for pair in scan.pairs] == ["s0", "s2"]
    assert [path.name for path in scan.strays] == ["notes.txt", "other.tif"]
    (problem,) = scan.problems
    assert "no target for s1.tif" in problem
    assert not scan_structures(folder, exclude=["s1"]).problems
    (tmp_path / "empty").mkdir()
    (problem,) = scan_structures(tmp_path / "empty").problems
    assert "no 'signal'" in problem


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("signal,target", "a.tif,b.tif", "lacks the columns task"),
        ("signal,target,task", ",b.tif,dna", "line 2: no signal"),
        ("signal,target,task,channel_signal", "a.tif,b.tif,dna,red", "got 'red'"),
        ("signal,target,task", "a.tif,b.tif,dna", "line 2: there is no file"),
        ("signal,target,task,split", "a.tif,b.tif,dna,test", "no pairs"),
    ],
)
def test_broken_tables_are_refused(tmp_path: Path, header: str, row: str, message: str) -> None:
    scan = scan_structures(_table(tmp_path / "pairs.csv", row, header=header))
    assert not scan.pairs
    assert message in scan.problems[0]


def test_what_is_wrong_with_signals_that_are_left_out_is_not_said(folder: Path) -> None:
    rows = ("signal/s0.tif,target/s0.tif,dna", "gone.tif,target/s1.tif,dna")
    table = _table(folder / "pairs.csv", *rows)
    assert len(scan_structures(table).problems) == 1
    scan = scan_structures(table, exclude=["gone"])
    assert (scan.problems, [pair.name for pair in scan.pairs]) == ((), ["s0"])


def test_tasks_must_be_all_of_the_data_and_no_others(folder: Path) -> None:
    files = scan_structures(folder).pairs
    with pytest.raises(ValueError, match="show dna, which is not among the tasks actin"):
        task_order(files, (), ["actin"])
    with pytest.raises(ValueError, match="no training pairs for actin"):
        task_order(files, (), ["dna", "actin"])


def test_known_structures_come_first_and_need_no_pairs(folder: Path) -> None:
    files = scan_structures(folder).pairs
    order = task_order(files, (), known=["actin", "tubulin"])
    assert order == ("actin", "tubulin", "dna")
    data = drive(load_structures(files, (), order, StackStore(folder / "none")))
    assert data.tasks == order
    assert {pair.task for pair in data.training} == {2}
    assert set(data.target_statistics) == {"dna"}
    assert task_order(files, (), known=["dna", "actin"]) == ("dna", "actin")


def test_stacks_beyond_the_budget_are_read_from_files(folder: Path) -> None:
    files = scan_structures(folder).pairs
    kept, mapped = _load(files), _load(files, budget=_stack().nbytes)
    assert len(list((folder / "signal" / ".stacks").iterdir())) == 5
    box = np.s_[1:3, 4:9, 2:20]
    for one, other in zip(kept.training, mapped.training, strict=True):
        again = pickle.loads(pickle.dumps(other))  # goes to other processes
        for role in ("signal", "target"):
            expected = getattr(one, role).read(box)
            np.testing.assert_array_equal(getattr(again, role).read(box), expected)


def test_voxel_sizes_are_taken_from_the_files_and_must_agree(tmp_path: Path) -> None:
    def files(*sizes: float) -> list[PairFiles]:
        found = []
        for size in sizes:
            meta = {"axes": "ZYX", "PhysicalSizeX": size, "PhysicalSizeY": size}
            meta |= {"PhysicalSizeZ": 0.5}
            path = _write(tmp_path / f"{size}.ome.tif", _stack(), metadata=meta, ome=True)
            found.append(PairFiles(path, path, "dna"))
        return found

    assert _load(files(0.29)).voxel_size == pytest.approx((0.5, 0.29, 0.29))
    with pytest.raises(ValueError, match=r"0\.5 × 0\.1 × 0\.1; 0\.5 × 0\.29 × 0\.29"):
        _load(files(0.29, 0.1))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"crop": (16, 50, 128)}, "multiples of 16"),
        ({"recipe": "magic"}, "Recipe must be one of repmode, few-images"),
        ({"projection": "sum"}, "Projection must be one of max, mean"),
        ({"tasks": ("dna", "dna")}, "named once"),
        ({"base_channels": 0}, "Channels must be between 1 and 128"),
    ],
)
def test_bad_choices_are_refused(tmp_path: Path, choices: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainStructuresRequest((tmp_path,), tmp_path, **choices)


def test_prepared_data_are_read_crop_by_crop(tmp_path: Path) -> None:
    from napari_ssp.training.structures.volumes import PreparedPair, write_index, write_volume

    values = np.random.default_rng(0).standard_normal((6, 20, 24)).astype(np.float32)
    for key in ("s", "t"):
        write_volume(tmp_path, key, values, "float32", {})
    pair = ("dna", "train", "a", values.shape, (120.0, 30.0), "s", "t")
    write_index(tmp_path, {}, [PreparedPair(*pair)])
    files = scan_structures(tmp_path).pairs
    data = drive(load_structures(files, (), ("dna",), StackStore(tmp_path / "none")))
    assert data.target_statistics == {"dna": (120.0, 30.0)}
    np.testing.assert_array_equal(
        data.training[0].signal.read(np.s_[1:3, :, 4:]), values[1:3, :, 4:]
    )
    assert "no pairs" in scan_structures(tmp_path, VALIDATION_SPLITS).problems[0]
