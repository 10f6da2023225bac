"""Teachers, students and expansion as kinds of the one training, from folders to models."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch
from label_folders import write_discs

from napari_ssp.progress import run
from napari_ssp.registry import ModelCard, find_card, load_model
from napari_ssp.schema import restore
from napari_ssp.service.training.expansion.images import mask_entries
from napari_ssp.service.training.expansion.plan import MaskFiles
from napari_ssp.service.training.expansion.requests import (
    PassSchedule,
    TrainExpansionRequest,
    TrainStudentRequest,
    TrainTeacherRequest,
)
from napari_ssp.service.training.expansion.seeds import for_seed, summarise
from napari_ssp.service.training.finishing import finish_steps
from napari_ssp.service.training.plan import plan_training
from napari_ssp.service.training.recipes import read_recipe, recipe_names
from napari_ssp.service.training.request_files import TASKS, read_request
from napari_ssp.service.training.requests import FinishTrainingRequest
from napari_ssp.service.training.steps import train_steps
from napari_ssp.training.records import load_state
from napari_ssp.training.run_files import BEST_FILE

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"size": 32, "width": 12, "depth": 1, "heads": 3}
QUICK: dict[str, Any] = {"epochs": None, "batch_size": 4, "device": "cpu"}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_discs(tmp_path_factory.mktemp("data") / "labelled", 6, size=48)


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two planes and a stack of three."""
    folder = write_discs(tmp_path_factory.mktemp("data") / "more", 5, size=48, seed=1) / "images"
    planes = [tifffile.imread(folder / f"im{k}.tif") for k in range(2, 5)]
    tifffile.imwrite(folder / "stack.tif", np.stack(planes), imagej=True, metadata={"axes": "ZYX"})
    for k in range(2, 5):
        (folder / f"im{k}.tif").unlink()
    return folder


@pytest.fixture(scope="module")
def teacher(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    critic = SMALL | {"width": 4, "depth": 2}
    request = TrainTeacherRequest((labelled,), folder, steps=6, install="never", **critic, **QUICK)
    run(train_steps(request))
    return folder


@pytest.fixture(scope="module")
def student(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "student"
    request = TrainStudentRequest((labelled,), folder, steps=20, install="never", **SMALL, **QUICK)
    run(train_steps(request))
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_model(folder).state_dict()


def _rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_a_teacher_becomes_a_model_that_knows_its_error(teacher: Path) -> None:
    card = find_card(teacher)
    assert (card.family, card.makes, card.window) == ("teacher", "errors", (32, 32))
    assert card.network == {"architecture": "critic", **SMALL, "width": 4, "depth": 2}
    assert set(card.figures) == {"mae", "mse", "spearman"}
    assert 0 < card.figures["mae"] < 4.6
    rows = _rows(teacher)
    assert min(float(row["mae"]) for row in rows) == card.figures["mae"], "the least error is kept"
    assert json.loads((teacher / "request.json").read_text())["task"] == "teacher"
    assert (teacher / "data.csv").read_text().count("_label.tif") == 6


def test_a_student_becomes_a_model_that_segments(student: Path) -> None:
    card = find_card(student)
    assert (card.family, card.makes, card.tasks) == ("student", "objects", ("mitochondria",))
    assert set(card.figures) == {"iou", "accuracy", "ece", "mce"}
    assert read_request(student).network.architecture == "vit"
    assert len(_rows(student)) == 10


def test_student_and_teacher_learn_together(
    labelled: Path, teacher: Path, student: Path, tmp_path: Path
) -> None:
    request = TrainStudentRequest(
        (labelled,), tmp_path / "joint", teacher=str(teacher), steps=4, install="never",
        **SMALL, **QUICK,
    )  # fmt: skip
    model = run(train_steps(request))
    assert find_card(model.folder).family == "student"
    learned = find_card(model.folder / "teacher")
    assert learned.network == find_card(teacher).network
    assert not _same(_weights(model.folder / "teacher"), _weights(teacher))
    assert _weights(model.folder).keys() == _weights(student).keys()


@pytest.fixture
def expansion(
    labelled: Path, unlabelled: Path, teacher: Path, student: Path, tmp_path: Path
) -> TrainExpansionRequest:
    return TrainExpansionRequest(
        (labelled,),
        tmp_path / "expanded",
        name="expanded",
        base=str(student),
        teachers=(str(teacher),),
        unlabelled=(unlabelled,),
        steps=8,
        **QUICK,
    )


def test_the_plan_names_all_images(expansion: TrainExpansionRequest) -> None:
    plan = plan_training(expansion)
    assert plan.replay == ("im0", "im1", "stack")
    assert (len(plan.training), len(plan.validation)) == (5, 1)
    assert "5 images with masks to train 'my-student' and 3 without, judged by" in plan.summary
    assert isinstance(plan.files, MaskFiles)
    shapes = {entry.path.name: entry.shape for entry in mask_entries(plan.files)}
    assert shapes["stack.tif"] == (3, 48, 48)


@pytest.mark.parametrize("learning_rate", [1e-2, 1.0])
def test_an_expanded_student_is_installed_only_where_it_is_better(
    expansion: TrainExpansionRequest, student: Path, learning_rate: float, cache: Path
) -> None:
    """Whether it gets better is chance here; what happens then is not."""
    request = replace(expansion, schedule=replace(expansion.schedule, learning_rate=learning_rate))
    model = run(train_steps(request))
    start = find_card(student).figures
    assert model.base_metrics == {name: start[name] for name in ("iou", "accuracy", "ece", "mce")}
    rows = _rows(model.folder)
    assert [row["step"] for row in rows[:2]] == ["0", "2"], "a pass of 5 crops in batches of 4"
    assert model.is_better == (model.metrics["iou"] > start["iou"])
    assert model.installed == model.is_better == (cache / "models" / "expanded").exists()
    kept = load_state(model.folder / BEST_FILE)
    assert kept is not None
    assert (kept["row"]["step"] == 0) == _same(_weights(model.folder), _weights(student))
    assert model.metrics["iou"] >= start["iou"], "a worse student never comes out"


def test_a_stopped_run_ends_as_an_unbroken_one(
    expansion: TrainExpansionRequest, tmp_path: Path
) -> None:
    request = replace(expansion, slack=1.0, install="never")
    whole = run(train_steps(request))
    again = replace(request, output=tmp_path / "broken")
    steps = train_steps(again)
    for progress in steps:
        if progress.stage.startswith("learning") and progress.preview.step == 3:
            break
    steps.close()
    run(train_steps(again))
    assert _same(_weights(again.output), _weights(whole.folder))


def test_a_stopped_run_can_be_finished(expansion: TrainExpansionRequest) -> None:
    steps = train_steps(replace(expansion, slack=1.0))
    for progress in steps:
        if progress.stage.startswith("learning") and progress.preview.step == 3:
            break
    steps.close()
    model = run(finish_steps(FinishTrainingRequest(expansion.output, "never")))
    assert find_card(model.folder).family == "student"


def test_an_expansion_needs_more_than_labels(labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a base student and a teacher and unlabelled"):
        TrainExpansionRequest((labelled,), tmp_path)
    with pytest.raises(ValueError, match="must be one of better, never, got 'always'"):
        TrainExpansionRequest((labelled,), tmp_path, install="always")


def test_models_that_do_not_fit_are_refused(
    expansion: TrainExpansionRequest, teacher: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="'my-teacher' is of the family 'teacher', but a student"):
        plan_training(replace(expansion, base=str(teacher)))
    with pytest.raises(ValueError, match="'mediar-starter' is of the family 'mediar', but a teach"):
        plan_training(replace(expansion, teachers=("mediar-starter",)))
    larger = tmp_path / "larger"
    card = find_card(teacher)
    larger.mkdir()
    replace(card, network=card.network | {"size": 64}, name="larger").write(larger)
    with pytest.raises(ValueError, match="'larger' sees images of 64 pixels and the student of 32"):
        plan_training(replace(expansion, teachers=(str(larger),)))


def test_networks_that_cannot_be_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its width of 20 cannot be divided among 3 heads"):
        plan_training(TrainStudentRequest((tmp_path,), tmp_path, width=20, heads=3))


def test_unlabelled_images_that_are_not_there(
    expansion: TrainExpansionRequest, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="There are no unlabelled images at"):
        plan_training(replace(expansion, unlabelled=(tmp_path / "nowhere",)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no images"):
        plan_training(replace(expansion, unlabelled=(tmp_path / "empty",)))


def test_masks_of_which_nothing_is_inside_are_refused(tmp_path: Path) -> None:
    folder = write_discs(tmp_path / "data", 4, size=48)
    for path in (folder / "labels").iterdir():
        tifffile.imwrite(path, np.zeros((48, 48), np.uint8))
    request = TrainStudentRequest((folder,), tmp_path / "run", steps=1, **SMALL, **QUICK)
    with pytest.raises(ValueError, match="Nothing is annotated in the 3 training images"):
        run(train_steps(request))
    assert not list((tmp_path / "run").glob(".*"))


def test_masks_of_true_and_false_are_taken_as_they_are(tmp_path: Path) -> None:
    folder = write_discs(tmp_path / "data", 4, size=48)
    for path in (folder / "labels").iterdir():
        tifffile.imwrite(path, tifffile.imread(path) > 0, photometric="minisblack")
    request = TrainStudentRequest(
        (folder,), tmp_path / "run", steps=1, install="never", **SMALL, **QUICK
    )
    assert run(train_steps(request)).metrics["accuracy"] > 0


@pytest.mark.parametrize("task", ["teacher", "student", "expansion"])
def test_published_configurations_are_requests(task: str, tmp_path: Path) -> None:
    for name in recipe_names(task):
        values = read_recipe(name, task)
        assert values.pop("task") == task
        assert values.pop("seeds") == [3, 4, 13, 42, 1337]
        values |= {"data": [tmp_path], "output": tmp_path}
        if task == "expansion":
            values |= {"base": "a", "teachers": ["b"], "unlabelled": [tmp_path]}
        request: Any = restore(TASKS[task], values)
        assert request.schedule == PassSchedule(epochs=300, learning_rate=1e-2, batch_size=16)
        if task != "expansion":
            assert request.network.size == 224


def test_seeds_have_folders_of_their_own_and_one_table(tmp_path: Path) -> None:
    request = TrainStudentRequest((tmp_path,), tmp_path / "runs", name="mito")
    own = for_seed(request, 13)
    assert (own.machine.seed, own.name) == (13, "mito-seed-13")
    assert own.output == tmp_path / "runs" / "seed-13"
    (tmp_path / "runs").mkdir()
    table = summarise({3: {"iou": 0.5, "ece": 0.1}, 4: {"iou": 0.7, "ece": 0.1}}, request.output)
    assert table["iou"] == pytest.approx({"mean": 0.6, "std": 0.1})
    lines = (request.output / "seeds.csv").read_text().split()
    assert lines == ["seed,iou,ece", "3,0.5,0.1", "4,0.7,0.1", "mean,0.6,0.1", "std,0.1,0.0"]


def test_cards_say_what_a_student_learned_from(
    expansion: TrainExpansionRequest, student: Path
) -> None:
    run(train_steps(replace(expansion, install="never")))
    card = ModelCard.read(expansion.output)
    assert card.network == find_card(student).network
    assert card.base == "my-student"
    assert card.description.startswith("'my-student', expanded on 5 images without masks as judged")
    assert card.training_data == "labelled, images; before: labelled"
