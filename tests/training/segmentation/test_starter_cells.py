"""The recipe of the starter model of cells, ``scripts/starter_cells``."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.service import TrainRequest
from napari_ssp.service.training.recipes import read_recipe
from napari_ssp.service.training.segmentation.pairs import scan_pairs

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def _disks(*centres: tuple[int, int], radius: int = 6, shape: tuple[int, int] = (80, 120)) -> Any:
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for number, (cy, cx) in enumerate(centres, 1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = number
    return labels


def test_an_object_that_nobody_drew_is_not_learned_as_background(scripts: Any) -> None:
    everything = _disks((20, 20), (20, 60), (50, 90))
    drawn = np.where(everything == 3, 0, everything)
    signal = np.random.default_rng(0).normal(10, 2, drawn.shape) + 100 * (everything > 0)
    found = scripts("incomplete").without_strangers(drawn, signal)
    assert (found[everything == 3] == -1).all()
    np.testing.assert_array_equal(found[drawn > 0], drawn[drawn > 0])
    far = _disks((50, 90), radius=14) == 0
    assert (found[far & (drawn == 0)] == 0).all()


def test_what_only_a_second_expert_drew_is_left_open(scripts: Any) -> None:
    first, second = _disks((20, 20), (20, 60)), _disks((21, 21), (50, 90), (20, 60))
    found = scripts("incomplete").without_objects_of_another(first, second)
    assert (found[(second == 2)] == -1).all()
    assert (found < 0).sum() == (second == 2).sum()


def test_boxes_become_ellipses_and_other_stained_cells_stay_open(scripts: Any) -> None:
    cells = _disks((30, 30), (30, 80), radius=12) > 0
    picture = np.full((80, 120, 3), 240, np.uint8)
    picture[cells] = 120
    found = scripts("incomplete").from_boxes(picture, [(18, 18, 42, 42)])
    left = _disks((30, 30), radius=12) > 0
    assert (found[left] == 1).mean() > 0.95
    assert (found[_disks((30, 80), radius=12) > 0] == -1).all()
    assert (found[60:] == 0).all()


def test_the_kept_back_part_shares_no_object_with_the_other(scripts: Any) -> None:
    examples = scripts("examples")
    labels = _disks((20, 20), (20, 60), (50, 90), (20, 100))
    labels[(labels == 0) & (_disks((50, 88)) > 0)] = 3
    whole = examples.Example("a", "a", labels.astype(np.uint8), labels)
    learned, kept_back = examples.divided(whole)
    assert (learned.split, kept_back.split) == ("train", "val")
    assert learned.labels.shape == (80, 90)
    assert kept_back.labels.shape == (80, 30)
    assert set(np.unique(learned.labels)) == {-1, 0, 1, 2}
    assert set(np.unique(kept_back.labels)) == {-1, 0, 4}
    assert (learned.labels < 0).sum() + (kept_back.labels < 0).sum() == (labels == 3).sum()


def test_small_sets_are_repeated_and_large_pictures_cut(scripts: Any) -> None:
    examples = scripts("examples")
    labels = np.zeros((1000, 600), np.int32)
    labels[::50, ::50] = np.arange(1, 241).reshape(20, 12)
    large = examples.Example("large", "large", labels.astype(np.uint8), labels)
    kept_back = examples.Example("val", "large", labels.astype(np.uint8), labels, "val")
    made = list(examples.amplified([large, kept_back]))
    assert sum(example.split == "val" for example in made) == 1
    learned = [example for example in made if example.split == "train"]
    assert len(learned) == examples.FEWEST
    assert {example.labels.shape for example in learned} == {(500, 600)}
    assert sum(len(np.unique(example.labels)) - 1 for example in learned[:2]) == 240
    examples.check_names(made)


def test_planes_of_a_stack_are_cut_across_it_with_its_proportions(scripts: Any) -> None:
    examples = scripts("examples")
    labels = np.zeros((10, 40, 30), np.int32)
    labels[2:8, 10:24, 6:20] = 1
    stack = examples.Example("s", "s", (labels * 90).astype(np.uint8), labels)
    planes = list(examples.planes(stack, anisotropy=2.0, every=4))
    shapes = {plane.name.rsplit("_", 1)[1][0]: plane.labels.shape for plane in planes}
    assert shapes == {"z": (40, 30), "y": (20, 30), "x": (20, 40)}
    across = next(plane for plane in planes if "_y" in plane.name)
    rows, columns = np.nonzero(across.labels == 1)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (12, 14)


def test_channels_of_one_field_keep_their_own_range(scripts: Any) -> None:
    dim, bright = (k * np.arange(100.0).reshape(10, 10) for k in (1, 1000))
    picture = scripts("examples").colours(dim, bright)
    np.testing.assert_array_equal(picture[..., 0], picture[..., 1])
    assert picture[..., 0].max() == 255
    assert not picture[..., 2].any()


def test_rounds_are_requests_to_train(recipe: Path, tmp_path: Path) -> None:
    for path in recipe.glob("*.json"):
        values = read_recipe(str(path))
        assert values.pop("task") == "segmentation"
        request = TrainRequest((tmp_path,), tmp_path, **values)
        assert request.schedule.minutes is None, "a round must end the same when interrupted"
    assert json.loads(path.read_text())["task"] == "segmentation"


def test_a_real_set_is_written_as_training_reads_it(
    scripts: Any, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preparing, sets = scripts("preparing"), scripts("sets")
    monkeypatch.setattr(preparing, "SETS", (sets.microbes, sets.blood))
    monkeypatch.setattr(preparing, "stacks", lambda data: iter(()))
    preparing.prepare(shared_data, tmp_path)
    training = scan_pairs(tmp_path / "train").pairs
    with (tmp_path / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(training) == sum(row["split"] == "train" for row in rows) == 36
    learned = {row["id"] for row in rows if row["split"] == "train"}
    assert not any(name.startswith("ecoli_trpl") for name in learned), "not to be republished"
    scored = {row["set"] for row in rows if row["scored"] == "True"}
    assert scored == {"microbes ecoli", "microbes mother", "microbes yeast"}
    quick = scan_pairs(tmp_path / "quick").pairs
    assert {pair.name for pair in quick} == {
        "yeast_trap_prime95b_testc_tp3",
        "mother_machine_mmscmos_testa",
    }
    assert all(max(pair.shape) < 600 for pair in quick)
