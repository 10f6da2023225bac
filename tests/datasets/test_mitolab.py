"""CEM-MitoLab and CEM1.5M, prepared from a miniature of their layout."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from napari_ssp.cli import main
from napari_ssp.datasets.mitolab import MitolabRequest, mitolab_steps, split_names
from napari_ssp.io import read_image, read_label_image
from napari_ssp.progress import run
from napari_ssp.service.training.expansion.plan import MASK_PLANNER
from napari_ssp.service.training.expansion.requests import TrainStudentRequest

if TYPE_CHECKING:
    from pathlib import Path

SIZES = {"fly_brain": (32, 32), "hela_cell": (48, 64)}


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels)


@pytest.fixture
def miniature(tmp_path: Path) -> Path:
    """20 images of two sources with masks of two mitochondria, and 3 without."""
    rng = np.random.default_rng(0)
    root = tmp_path / "11037" / "data" / "cem_mitolab"
    for source, (height, width) in SIZES.items():
        for k in range(10):
            labels = np.zeros((height, width), np.uint16)
            labels[4:12, 4:20], labels[20:28, 10:30] = 1, 300
            pixels = rng.integers(0, 100, labels.shape) + 100 * (labels > 0)
            _write(root / source / "images" / f"{source}-{k:03d}.tiff", pixels.astype(np.uint8))
            _write(root / source / "masks" / f"{source}-{k:03d}.tiff", labels)
    _write(root / "hela_cell" / "images" / "._hela_cell-000.tiff", pixels)
    for k in range(3):
        _write(tmp_path / "11035" / "cem1.5m" / f"tile-{k}.tiff", pixels[:32, :32].astype(np.uint8))
    return tmp_path


@pytest.fixture
def request_of(miniature: Path) -> MitolabRequest:
    folder = miniature / "prepared"
    return MitolabRequest(miniature / "11037", folder, miniature / "11035", size=32)


def _stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.iterdir())


def test_images_are_divided_with_their_masks(request_of: MitolabRequest) -> None:
    done = run(mitolab_steps(request_of))
    assert done.counts == {"train": 16, "val": 3, "test": 1, "unlabelled": 3}
    assert (done.made, done.kept, done.left_out) == (23, 0, ())
    for split, count in (("train", 16), ("val", 3), ("test", 1)):
        images = _stems(done.folder / split / "images")
        assert len(images) == count
        assert images == _stems(done.folder / split / "masks")
    rows = list(csv.DictReader((done.folder / "manifest.csv").read_text().splitlines()))
    assert len(rows) == 43
    assert len({row["source"] for row in rows}) == 23


def test_pixels_and_numbers_are_kept_where_the_size_is(
    request_of: MitolabRequest, miniature: Path
) -> None:
    done = run(mitolab_steps(request_of))
    source = miniature / "11037" / "data" / "cem_mitolab"
    for path in done.folder.glob("*/images/*fly_brain*.tif"):
        name = path.stem.split("fly_brain-fly_brain-")[1][:3]
        part = source / "fly_brain" / "images" / f"fly_brain-{name}.tiff"
        assert np.array_equal(read_image(path).plane(), tifffile.imread(part))
        mask = read_label_image(path.parents[1] / "masks" / path.name).plane()
        assert np.array_equal(mask, tifffile.imread(part.parents[1] / "masks" / part.name))


def test_others_are_resized_together_with_their_masks(request_of: MitolabRequest) -> None:
    done = run(mitolab_steps(request_of))
    for path in done.folder.glob("*/images/*hela_cell*.tif"):
        pixels = read_image(path).plane()
        mask = read_label_image(path.parents[1] / "masks" / path.name).plane()
        assert pixels.shape == mask.shape == (32, 32)
        assert (pixels.dtype, mask.dtype) == (np.uint8, np.uint16)
        assert set(np.unique(mask)) == {0, 1, 300}
        assert pixels[mask > 0].mean() - pixels[mask == 0].mean() > 80


def test_training_finds_the_splits(request_of: MitolabRequest) -> None:
    done = run(mitolab_steps(request_of))
    files = MASK_PLANNER.find_files(TrainStudentRequest((done.folder,), done.folder / "run"), None)
    assert (len(files.pairs.training), len(files.pairs.validation)) == (16, 3)
    assert all(pair.image.parent.parent.name == "train" for pair in files.pairs.training)
    assert all(pair.image.parent.parent.name == "val" for pair in files.pairs.validation)


def test_splits_depend_on_the_seed_alone() -> None:
    names = [f"image-{k}" for k in range(1000)]
    splits = split_names(names, 13)
    assert splits == split_names(names[::-1], 13)
    assert splits != split_names(names, 14)
    found = {split: sum(s == split for s in splits.values()) for split in ("train", "val", "test")}
    assert found == {"train": 800, "val": 150, "test": 50}


def test_interrupted_work_goes_on(request_of: MitolabRequest) -> None:
    steps = mitolab_steps(request_of)
    for progress in steps:
        if progress.done == 8:
            break
    steps.close()
    written = {p: p.stat().st_mtime_ns for p in request_of.output.rglob("*.tif")}
    done = run(mitolab_steps(request_of))
    assert (done.made, done.kept) == (15, 8)
    assert {p: p.stat().st_mtime_ns for p in written} == written


def test_what_was_damaged_or_replaced_is_made_again(
    request_of: MitolabRequest, miniature: Path
) -> None:
    first = run(mitolab_steps(request_of))
    damaged = next(first.folder.glob("train/masks/*.tif"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-20])
    done = run(mitolab_steps(request_of))
    assert (done.made, done.kept) == (1, 22)
    assert np.array_equal(tifffile.imread(damaged) > 0, read_label_image(damaged).plane() > 0)
    source = next((miniature / "11037").rglob("fly_brain/images/*.tiff"))
    _write(source, 255 - tifffile.imread(source))
    again = run(mitolab_steps(request_of))
    assert again.made == 1
    assert sum(again.counts.values()) == len([*again.folder.rglob("*/images/*.tif")]) + 3


def test_other_choices_leave_nothing_of_the_first(request_of: MitolabRequest) -> None:
    run(mitolab_steps(request_of))
    done = run(mitolab_steps(replace(request_of, size=16, seed=4, most_unlabelled=2)))
    assert done.counts == {"train": 16, "val": 3, "test": 1, "unlabelled": 2}
    shapes = {tifffile.imread(path).shape for path in done.folder.rglob("*.tif")}
    assert shapes == {(16, 16)}
    assert len([*done.folder.rglob("*.tif")]) == 42


def test_images_without_masks_are_told_before_anything_is_written(
    request_of: MitolabRequest, miniature: Path
) -> None:
    source = miniature / "11037" / "data" / "cem_mitolab" / "hela_cell"
    (source / "masks" / "hela_cell-004.tiff").unlink()
    (source / "images" / "hela_cell-005.tiff").unlink()
    with pytest.raises(ValueError, match="2 images and masks are without each other") as told:
        run(mitolab_steps(request_of))
    assert "hela_cell-004.tiff: no mask" in str(told.value)
    assert "hela_cell-005.tiff: no image" in str(told.value)
    assert not request_of.output.exists()
    done = run(mitolab_steps(replace(request_of, skip_broken=True)))
    assert sum(done.counts.values()) == 21
    assert len(done.left_out) == 2


def test_broken_images_are_told_after_all_others(
    request_of: MitolabRequest, miniature: Path
) -> None:
    source = miniature / "11037" / "data" / "cem_mitolab" / "fly_brain"
    (source / "images" / "fly_brain-003.tiff").write_bytes(b"II*\0broken")
    _write(source / "masks" / "fly_brain-006.tiff", np.zeros((30, 32), np.uint16))
    with pytest.raises(ValueError, match="2 images are broken; all others were prepared") as told:
        run(mitolab_steps(request_of))
    assert "the image is (32, 32) and its mask (30, 32)" in str(told.value)
    assert len([*request_of.output.glob("*/images/*.tif")]) == 18


def test_folders_of_something_else(request_of: MitolabRequest, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no folder with 'images' and 'masks'"):
        run(mitolab_steps(replace(request_of, labelled=tmp_path / "11035")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no images"):
        run(mitolab_steps(replace(request_of, unlabelled=tmp_path / "empty")))
    with pytest.raises(ValueError, match="a multiple of 16 pixels, up to 4096; got 100"):
        replace(request_of, size=100)


def test_the_command(miniature: Path) -> None:
    report, folder = miniature / "report.json", miniature / "prepared"
    words = ["data", "prepare", "mitolab", "--labelled", miniature / "11037", "-o", folder]
    words += ["--unlabelled", miniature / "11035", "--size", 32, "--json", report]
    done = CliRunner().invoke(main, [*map(str, words)])
    assert done.exit_code == 0, done.output
    assert "16 images to train, 3 to validate, 1 to test and 3 without masks" in done.output
    assert json.loads(report.read_text())["images"]["train"] == 16


def test_real_micrographs(shared_data: Path, tmp_path: Path) -> None:
    """Tiles of electron micrographs in the layout of the collection."""
    real = shared_data / "em_mito"
    for path in (real / "labelled" / "images").glob("cem_*.png"):
        source = tmp_path / "11037" / path.stem
        for part, name in (("images", path.name), ("masks", f"{path.stem}_mask.png")):
            (source / part).mkdir(parents=True, exist_ok=True)
            shutil.copy(real / "labelled" / part / name, source / part / path.name)
    done = run(mitolab_steps(MitolabRequest(tmp_path / "11037", tmp_path / "out")))
    assert sum(done.counts.values()) == 3
    for mask in done.folder.glob("*/masks/*.tif"):
        assert (read_label_image(mask).plane() > 0).mean() > 0.05
