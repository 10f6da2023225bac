from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from label_folders import write_discs

from napari_ssp.schema import restore
from napari_ssp.service import TrainRequest, plan_training
from napari_ssp.service.training.recipes import read_recipe, recipe_names
from napari_ssp.service.training.request_files import read_request, write_request
from napari_ssp.service.training.segmentation.plan import find_files


def test_whole_images_are_set_aside_evenly(tmp_path: Path) -> None:
    plan = plan_training(TrainRequest((write_discs(tmp_path / "d", 10),), tmp_path / "run"))
    assert plan.validation == ("im2", "im7")
    assert set(plan.training) == {f"im{k}" for k in (0, 1, 3, 4, 5, 6, 8, 9)}
    assert not plan.strip
    assert "8 images to learn from scratch" in plan.summary
    assert "2 for validation" in plan.summary


def test_of_few_images_strips_are_set_aside(tmp_path: Path) -> None:
    plan = plan_training(TrainRequest((write_discs(tmp_path / "d", 1, 160),), tmp_path / "run"))
    assert plan.strip
    assert plan.training == ("im0",)
    assert "a strip of each" in plan.summary


def test_a_chosen_validation_folder_leaves_all_data_for_learning(tmp_path: Path) -> None:
    data, other = write_discs(tmp_path / "d", 5), write_discs(tmp_path / "v", 1)
    request = TrainRequest((data,), tmp_path / "run", (other,), replay=(other,))
    plan = plan_training(request)
    assert (len(plan.training), len(plan.validation), len(plan.replay)) == (5, 1, 1)
    assert "25% of each batch from 1 image" in plan.summary


def test_all_problems_are_said_together_and_strays_are_noted(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "d", 4)
    (data / "images" / "notes.txt").write_bytes(b"x")
    (data / "labels" / "lonely_label.tif").write_bytes(b"x")
    (data / "images" / ".hidden.tif").write_bytes(b"x")
    plan = plan_training(TrainRequest((data,), tmp_path / "run"))
    assert any("notes.txt, lonely_label.tif" in warning for warning in plan.warnings)

    (data / "images" / "im0.tif").write_bytes(b"II*\0broken")
    tifffile.imwrite(data / "labels" / "im1_label.tif", np.zeros((5, 6), np.int32))
    (data / "labels" / "im2_label.tif").unlink()
    tifffile.imwrite(data / "images" / "im3.tif", np.zeros((9, 80, 80), np.uint8))
    request = TrainRequest((data,), tmp_path / "run", (tmp_path / "nothing",))
    with pytest.raises(ValueError, match="4 of 4 training pairs") as error:
        plan_training(request)
    for words in (
        "im0.tif",
        r"the image is (80, 80) and its labels are (5, 6)",
        "im2.tif",
        "stack of 9",
        "'im",
    ):
        assert words in str(error.value)
    assert not (tmp_path / "run").exists()


def test_forgetting_is_warned_of(tmp_path: Path, tiny_model: Path) -> None:
    data = write_discs(tmp_path / "d", 4)
    request = TrainRequest((data,), tmp_path / "run", base=str(tiny_model))
    assert any("forget" in warning for warning in plan_training(request).warnings)
    lora = TrainRequest((data,), tmp_path / "run", base=str(tiny_model), trainable="lora")
    assert not plan_training(lora).warnings


def test_a_request_survives_its_file(tmp_path: Path) -> None:
    request = TrainRequest(
        (tmp_path / "a", tmp_path / "b"),
        tmp_path,
        replay=(tmp_path / "c",),
        minutes=None,
        epochs=2.5,
        trainable="lora",
        base="mediar-starter",
    )
    write_request(request)
    assert read_request(tmp_path) == request


@pytest.mark.parametrize("name", recipe_names())
def test_published_configurations_are_requests(name: str, tmp_path: Path) -> None:
    values = read_recipe(name)
    assert values.pop("task") == "segmentation"
    request = restore(TrainRequest, {"data": [tmp_path], "output": tmp_path, **values})
    assert request.crops.crop == 512
    assert request.schedule.minutes is None
    with pytest.raises(ValueError, match="no colour"):
        restore(TrainRequest, {"data": [tmp_path], "output": tmp_path, "colour": 3})


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"trainable": "some"}, "all, decoder, heads, lora"),
        ({"minutes": None}, "without an end"),
        ({"trainable": "lora"}, "choose a base"),
        ({"augmentation": "strong"}, "mediar"),
        ({"install": "maybe"}, "better, always, never"),
        ({"replay_share": 1.0}, "Replay share"),
    ],
)
def test_bad_choices_are_refused(choices: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainRequest((Path(),), Path(), **choices)  # type: ignore[arg-type]


def test_planning_loads_no_torch(tmp_path: Path) -> None:
    write_discs(tmp_path / "d", 2)
    code = (
        "import sys; from pathlib import Path; from napari_ssp.service import *\n"
        f"plan_training(TrainRequest((Path({str(tmp_path / 'd')!r}),), Path('run')))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_with_commas_and_folders_of_two_sources(tmp_path: Path) -> None:
    first, second = write_discs(tmp_path / "a,b", 2), write_discs(tmp_path / "c", 3)
    files = find_files(TrainRequest((first, second), tmp_path / "run", exclude=("im1",)))
    assert len(files.training) == 3
