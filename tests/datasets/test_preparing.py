"""A collection in the published layout becomes prepared stacks, once; all faults come first."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage

from napari_ssp.datasets.preparing import (
    PUBLISHED_ZOOM,
    PrepareRequest,
    prepare_steps,
    prepare_volume,
)
from napari_ssp.datasets.splits import split_collection
from napari_ssp.datasets.tables import locate, read_tables
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image
from napari_ssp.progress import run
from napari_ssp.training.structures.volumes import PreparedVolumes

if TYPE_CHECKING:
    from pathlib import Path


SHAPE = (3, 6, 30, 40)
WHOLE = (slice(None),) * 3


def stack(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(90, 2000, SHAPE).astype(np.uint16)


def write_csv(path: Path, rows: list[tuple[object, ...]]) -> None:
    lines = [",".join(str(cell) for cell in row) for row in rows]
    path.write_text("\n".join(["path_czi,channel_signal,channel_target", *lines, ""]))


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Two structures of eight stacks each, and DNA in all of the first."""
    tables = tmp_path / "csvs"
    tables.mkdir()
    for number, name in enumerate(("lamin_b1", "tom20")):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for k in range(8):
            image = MicroscopyImage(stack(10 * number + k), "czyx", (0.29, 0.108, 0.108))
            write_image(folder / f"{k}.ome.tif", image)
        write_csv(tables / f"{name}.csv", [(f"data/{name}/{k}.ome.tif", 2, 0) for k in range(8)])
    write_csv(tables / "dna.csv", [(f"data/lamin_b1/{k}.ome.tif", 2, 1) for k in range(8)])
    return tmp_path


def request(collection: Path, **changes: object) -> PrepareRequest:
    values = {
        "tables": (collection / "csvs",),
        "images": collection / "images",
        "output": collection / "out",
    }
    return PrepareRequest(**values | changes)


def test_the_originals_numbers(reference: Path) -> None:
    arrays = np.load(reference / "repmode_predict_shared.npz")
    image = MicroscopyImage(arrays["prep_raw"], "zyx")
    values, statistics = prepare_volume(image, 0, PUBLISHED_ZOOM)
    np.testing.assert_allclose(values, arrays["prep_zscore_resized"], atol=2e-6)
    assert statistics.mean == pytest.approx(1125.1122916666666, rel=1e-12)
    assert statistics.deviation == pytest.approx(153.79545606827358, rel=1e-12)


@pytest.mark.parametrize("zoom", [(1.0, 0.37241, 0.37241), (0.5, 1.0, 2.0), (1.0, 0.01, 0.01)])
def test_prepared_stacks_are_those_of_scipy(zoom: tuple[float, float, float]) -> None:
    raw = stack(3)[0, :, :, :200]
    raw = np.tile(raw, (1, 8, 1))
    values, _ = prepare_volume(MicroscopyImage(raw, "zyx"), 0, zoom)
    scored = (raw - raw.mean()) / raw.std()
    shape = tuple(max(1, round(n * f)) for n, f in zip(raw.shape, zoom, strict=True))
    if 1 not in shape:
        np.testing.assert_allclose(
            values, ndimage.zoom(scored, zoom, order=3, mode="nearest"), atol=1e-5
        )
    assert values.shape == shape


def test_pairs_are_those_of_the_splits(collection: Path) -> None:
    done = run(prepare_steps(request(collection, dtype="float32")))
    prepared = PreparedVolumes(done.folder)
    assert prepared.tasks == ("dna", "lamin_b1", "tom20")
    splits = split_collection(read_tables([collection / "csvs"]))
    for split in ("train", "val", "test"):
        expected = [(t, row.path) for t, parts in splits.items() for row in parts[split]]
        found = [
            (p.task, f"data/{_folder(p.task)}/{p.name}.ome.tif") for p in prepared.split(split)
        ]
        assert found == expected
    again = read_tables([done.folder / "splits" / "dna"])
    assert again == splits["dna"]
    pair = prepared.split("test")[0]
    assert (pair.task, pair.shape) == ("dna", (6, 11, 15))
    raw = stack(int(pair.name))
    expected_signal, _ = prepare_volume(MicroscopyImage(raw[2], "zyx"), 0, PUBLISHED_ZOOM)
    expected_target, statistics = prepare_volume(MicroscopyImage(raw[1], "zyx"), 0, PUBLISHED_ZOOM)
    np.testing.assert_array_equal(pair.signal(WHOLE), expected_signal)
    np.testing.assert_array_equal(pair.target(WHOLE), expected_target)
    assert pair.target_statistics == (statistics.mean, statistics.deviation)
    assert prepared.settings["voxel_size"] == pytest.approx([0.29, 0.29, 0.29], abs=1e-4)
    assert done.made == 16 * 2 + 8 - 0  # the signal of a DNA pair is that of its lamin pair


def _folder(task: str) -> str:
    return "lamin_b1" if task == "dna" else task


def test_what_is_there_is_not_made_again(collection: Path) -> None:
    first = run(prepare_steps(request(collection)))
    volumes = sorted((first.folder / "volumes").iterdir())
    stamps = [path.stat().st_mtime_ns for path in volumes]
    again = run(prepare_steps(request(collection)))
    assert (again.made, again.kept) == (0, first.made)
    assert [path.stat().st_mtime_ns for path in volumes] == stamps
    # One that is gone and one whose source changed are made, and no other.
    shutil.rmtree(volumes[0])
    file = collection / "images" / "tom20" / "3.ome.tif"
    write_image(file, MicroscopyImage(stack(77), "czyx"), overwrite=True)
    assert 2 <= run(prepare_steps(request(collection))).made <= 3
    assert run(prepare_steps(request(collection, dtype="float32"))).made == first.made


def test_an_interrupted_run_goes_on(collection: Path) -> None:
    steps = prepare_steps(request(collection))
    while (progress := next(steps)).stage != "preparing stacks" or progress.done < 5:
        pass
    steps.close()
    with pytest.raises(FileNotFoundError, match="not to the end"):
        PreparedVolumes(collection / "out")
    assert not list((collection / "out").rglob(".*"))
    done = run(prepare_steps(request(collection)))
    assert done.kept == 5
    assert len(PreparedVolumes(done.folder).pairs) == 16 + len(split_dna(done.folder))


def split_dna(folder: Path) -> list[object]:
    return [row for rows in read_tables([folder / "splits" / "dna"]).values() for row in rows]


def test_all_faults_are_told_before_anything_is_written(collection: Path) -> None:
    images = collection / "images"
    (images / "tom20" / "0.ome.tif").unlink()
    whole = (images / "tom20" / "1.ome.tif").read_bytes()
    (images / "tom20" / "1.ome.tif").write_bytes(whole[: len(whole) // 2])
    flat = MicroscopyImage(stack(1)[:, 0], "cyx")
    write_image(images / "tom20" / "2.ome.tif", flat, overwrite=True)
    two = MicroscopyImage(stack(1)[:2], "czyx")
    write_image(images / "tom20" / "3.ome.tif", two, overwrite=True)
    with pytest.raises(
        ValueError, match=r"4 problems with the files; nothing was written"
    ) as caught:
        run(prepare_steps(request(collection)))
    message = str(caught.value)
    assert "tom20/0.ome.tif: not found in" in message
    assert "tom20/1.ome.tif: " in message
    assert "tom20/2.ome.tif: no stack along z (axes 'cyx', shape (3, 30, 40))" in message
    assert "tom20/3.ome.tif: channel 2 is asked for, but it has 2 (from 0)" in message
    assert not (collection / "out").exists()

    done = run(prepare_steps(request(collection, skip_broken=True)))
    assert len(done.left_out) == 4
    assert sum(done.counts["tom20"].values()) == 4
    assert sum(done.counts["lamin_b1"].values()) == 8
    whole_split = [r for t in read_tables([done.folder / "splits" / "tom20"]).values() for r in t]
    assert len(whole_split) == 8


def test_stacks_that_hold_nothing_are_told_at_the_end(collection: Path) -> None:
    data = stack(4)
    data[0] = 7
    file = collection / "images" / "tom20" / "4.ome.tif"
    write_image(file, MicroscopyImage(data, "czyx"), overwrite=True)
    with pytest.raises(ValueError, match=r"4\.ome\.tif, channel 0: All voxels .* value 7"):
        run(prepare_steps(request(collection)))
    done = run(prepare_steps(request(collection, skip_broken=True)))
    assert done.made == 0
    assert sum(done.counts["tom20"].values()) == 7


def test_nothing_usable_is_an_error(collection: Path) -> None:
    shutil.rmtree(collection / "images")
    with pytest.raises(ValueError, match="not found"):
        run(prepare_steps(request(collection, skip_broken=True)))
    assert not (collection / "out" / "prepared.json").exists()


def test_faults_of_tables(tmp_path: Path) -> None:
    write_csv(tmp_path / "empty.csv", [])
    write_csv(tmp_path / "twice.csv", [("a.czi", 1, 0), ("b.czi", 1, 0), ("a.czi", 1, 0)])
    write_csv(
        tmp_path / "odd.csv", [("a.czi", 6.0, 3), ("b.czi", "x", 0), ("", 1, 1), ("c", -1, 0)]
    )
    (tmp_path / "columns.csv").write_text("path,channel_signal\nx,1\n")
    with pytest.raises(ValueError, match="6 problems in the tables") as caught:
        read_tables([tmp_path])
    message = str(caught.value)
    assert "empty.csv: no rows" in message
    assert "twice.csv: a.czi is listed 2 times" in message
    assert "odd.csv, line 3: 'b.czi, x, 0'" in message
    assert "columns.csv: no column path_czi, channel_target" in message
    with pytest.raises(FileNotFoundError, match="no table"):
        read_tables([tmp_path / "none.csv"])
    (tmp_path / "sub").mkdir()
    with pytest.raises(FileNotFoundError, match="no CSV files"):
        read_tables([tmp_path / "sub"])
    shutil.copy(tmp_path / "twice.csv", tmp_path / "sub" / "twice.csv")
    with pytest.raises(ValueError, match="Several tables are called twice"):
        read_tables([tmp_path, tmp_path / "sub"])


def test_paths_are_found_as_the_tables_name_them(tmp_path: Path) -> None:
    (tmp_path / "zo1").mkdir()
    file = tmp_path / "zo1" / "datad1.czi"
    file.touch()
    for path in (
        "zo1/datad1.czi",
        "data/zo1/datad1.czi",
        "/".join(("old", "data", "zo1", file.name)),
    ):
        assert locate(path, [tmp_path]) == file
    assert locate(str(file), []) == file
    assert locate("data/zo1/d1.czi", [tmp_path]) is None
    assert locate("data/zo1/datad1.czi", [tmp_path / "zo1"]) == file


def test_a_real_czi(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("pylibCZIrw")
    file = shared_data / "reader_files" / "neubias_two_scenes.czi"
    write_csv(tmp_path / "zo1.csv", [(file, 0, 0)])
    done = run(prepare_steps(PrepareRequest((tmp_path / "zo1.csv",), tmp_path / "out")))
    pair = PreparedVolumes(done.folder).pairs[0]
    values, _ = prepare_volume(read_image(file), 0, PUBLISHED_ZOOM)
    np.testing.assert_allclose(pair.signal(WHOLE), values, rtol=1e-3, atol=1e-3)
    assert pair.shape == (2, 93, 93)


def test_zooms_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="three factors"):
        PrepareRequest((tmp_path,), tmp_path, zoom=(1, 0, 1))
