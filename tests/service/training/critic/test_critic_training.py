"""Training of a critic end to end on small images: it learns, is calibrated, goes on, refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from skimage.draw import disk
from tifffile import imwrite

from napari_ssp.engine import predict_errors
from napari_ssp.flows import labels_to_flows, measure_agreement
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import write_image
from napari_ssp.networks import DenseCritic
from napari_ssp.progress import run
from napari_ssp.registry import load_model
from napari_ssp.service import TrainCriticRequest
from napari_ssp.service.training.plan import plan_training
from napari_ssp.service.training.steps import train_steps

if TYPE_CHECKING:
    from pathlib import Path


def _scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bright disks on a dark ground, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((64, 64), np.uint16)
    for number, (y, x) in enumerate(np.ndindex(3, 3), start=1):
        centre = np.array([12 + 20 * y, 12 + 20 * x]) + rng.integers(-2, 3, 2)
        labels[disk(centre, rng.uniform(5, 7), shape=labels.shape)] = number
    image = (labels > 0) * 150 + rng.normal(40, 4, labels.shape)
    return image.astype(np.uint8), labels


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images; a model has missed three disks of each and invented one."""
    folder = tmp_path_factory.mktemp("critic")
    for part in ("images", "labels", "made"):
        (folder / part).mkdir()
    for k in range(6):
        image, labels = _scene(k)
        imwrite(folder / "images" / f"a{k}.tif", image)
        imwrite(folder / "labels" / f"a{k}_label.tif", labels)
        made = np.where(labels <= 3, 0, labels)
        made[0:5, 56:64] = 20
        imwrite(folder / "made" / f"a{k}_labels.tif", made)
        sure = np.where(made == 20, 0.3, np.where(made > 0, 0.9, 0.1))
        outputs = np.stack([*5 * labels_to_flows(labels), sure]).astype(np.float32)
        write_image(folder / "made" / f"a{k}_flows.tif", MicroscopyImage(outputs, "cyx"))
    return folder


def _request(data: Path, output: Path, **more: object) -> TrainCriticRequest:
    choices = {
        "mistakes": (data / "made",),
        "channels": (8, 16),
        "crop": 32,
        "minutes": None,
        "steps": 60,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "smoothing": 0.9,
        "install": "never",
        "device": "cpu",
    }
    return TrainCriticRequest((data,), output, **{**choices, **more})


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run") / "critic"
    model = run(train_steps(_request(data, output)))
    assert model.metrics["spearman_object"] > 0.3
    assert model.metrics["spearman_agreement"] > 0.3
    return output


def test_a_critic_knows_an_invented_object_from_true_ones(folder: Path) -> None:
    critic = load_model(folder)
    assert isinstance(critic, DenseCritic)
    image, labels = _scene(77)
    wrong = labels.copy()
    wrong[0:5, 56:64] = 20
    found = run(predict_errors(critic, image, wrong))
    errors = dict(
        zip(found.objects["label"].tolist(), found.objects["predicted_error"], strict=True)
    )
    assert errors.pop(20) > 0.5 > max(errors.values())


def test_flows_beside_labels_teach_a_head_of_their_own(folder: Path) -> None:
    critic = load_model(folder)
    assert isinstance(critic, DenseCritic)
    image, labels = _scene(79)
    wrong = labels.copy()
    wrong[0:5, 56:64] = 20
    flows, sure = labels_to_flows(labels), np.where(wrong == 20, 0.3, 0.9)
    agreement = measure_agreement(wrong, flows, sure)
    found = run(predict_errors(critic, image, wrong, agreement=agreement)).objects
    errors = dict(zip(found["label"].tolist(), found["predicted_error"], strict=True))
    assert errors.pop(20) > 0.5 > max(errors.values())


def test_a_missed_object_shows_in_its_map(folder: Path) -> None:
    image, labels = _scene(78)
    found = run(predict_errors(load_model(folder), image, np.where(labels == 5, 0, labels)))
    missed = found.kinds[0]
    assert missed[labels == 5].mean() > 2 * missed[labels == 0].mean()


def test_the_run_says_what_it_learned_from(folder: Path) -> None:
    lines = (folder / "data.csv").read_text().splitlines()
    assert sum("made labels" in line for line in lines) == 6
    scored = sum(line.startswith("validation") for line in lines if "made labels" in line)
    assert sum("made flows" in line for line in lines) == scored > 0
    request = json.loads((folder / "request.json").read_text())
    assert request["task"] == "critic"
    card = json.loads((folder / "card.json").read_text())
    assert card["family"] == "critic"
    assert "label images that models made" in card["description"]


def test_an_interrupted_run_ends_as_an_unbroken_one(data: Path, tmp_path: Path) -> None:
    whole = run(train_steps(_request(data, tmp_path / "whole", steps=4, channels=(4, 8))))
    steps = train_steps(_request(data, tmp_path / "broken", steps=4, channels=(4, 8)))
    for progress in steps:
        if progress.stage.startswith("learning") and progress.preview.step == 2:
            break
    steps.close()
    again = run(train_steps(_request(data, tmp_path / "broken", steps=4, channels=(4, 8))))
    assert again.metrics == whole.metrics


def test_the_plan_counts_what_models_made(data: Path, tmp_path: Path) -> None:
    plan = plan_training(_request(data, tmp_path))
    assert "6 label images that models made" in plan.summary
    assert not plan.warnings
    alone = plan_training(_request(data, tmp_path, mistakes=()))
    assert "planted faults alone" in alone.warnings[0]


def test_what_cannot_be_learned_from_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="napari-ssp segment"):
        plan_training(_request(data, tmp_path, mistakes=(data / "none",)))
    with pytest.raises(ValueError, match="four or more"):
        plan_training(_request(data, tmp_path, exclude=("a0", "a1", "a2")))
    with pytest.raises(ValueError, match="more than all"):
        _request(data, tmp_path, mistakes_share=0.8)
    with pytest.raises(ValueError, match="2 to 6"):
        plan_training(_request(data, tmp_path, channels=(8,)))


def test_labels_of_another_shape_are_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    imwrite(tmp_path / "made" / "a0.tif", np.zeros((64, 32), np.uint16))
    request = _request(data, tmp_path / "out", mistakes=(tmp_path / "made",))
    with pytest.raises(ValueError, match=r"a0\.tif: a model's labels .*\(64, 32\)"):
        run(train_steps(request))
