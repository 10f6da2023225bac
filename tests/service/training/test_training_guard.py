from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import tifffile
import torch
from label_folders import write_discs

from napari_ssp.progress import run
from napari_ssp.registry import ModelCard, list_cards, load_model
from napari_ssp.service import FinishTrainingRequest, TrainRequest, plan_training
from napari_ssp.service.training.conclusion import Judged, conclude
from napari_ssp.service.training.finishing import finish_steps
from napari_ssp.service.training.steps import train_steps
from napari_ssp.training.loop import LoopSettings, TrainingRun
from napari_ssp.training.scored_images import ScoredImages

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.training.state import TrainingState


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def request_(tmp_path: Path, tiny_model: Path) -> TrainRequest:
    return TrainRequest(
        (write_discs(tmp_path / "data", 5),),
        tmp_path / "run",
        base=str(tiny_model),
        minutes=None,
        steps=4,
        batch_size=2,
        crop=64,
        device="cpu",
        name="discs",
    )


def test_the_base_is_scored_first_and_a_model_that_is_no_better_is_not_installed(
    request_: TrainRequest, tiny_model: Path, tmp_path: Path
) -> None:
    others = (write_discs(tmp_path / "others", 3, seed=9),)
    request = replace(request_, validation=others, learning_rate=1e-7, trainable="heads")
    states: list[TrainingState] = []
    steps = train_steps(request)
    try:
        while True:
            preview = next(steps).preview
            states += [preview] if preview is not None else []
    except StopIteration as stop:
        model = stop.value
    assert set(model.base_metrics) == {"f1_0.50", "f1_0.75"}
    assert model.is_better is False
    assert not model.installed
    assert "before: not better than its base, not installed" in model.sentence
    assert not [card for card in list_cards() if card.name == "discs"]

    assert states[0].step == 0
    last = states[-1]
    assert last.base == model.base_metrics
    assert last.preview is not None
    name, image, truth, labels = last.preview
    assert (name, image.shape, truth.dtype, labels.dtype) == ("im0", (80, 80), "int32", "uint32")
    assert max(state.step for state in states) == 4
    assert states[-1].epoch == 1.6

    card = ModelCard.read(request.output)
    assert card.network == ModelCard.read(tiny_model).network
    assert load_model(card) is not None
    folder = request.output
    for file in ("request.json", "data.csv", "metrics.csv", "checkpoint.pt", "best.pt"):
        assert (folder / file).is_file(), file
    with (folder / "data.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["role"] for row in rows].count("validation") == 6
    assert all(len(row["sha256"]) == 64 for row in rows)
    assert {row["shape"] for row in rows} == {"80x80"}


def test_a_stopped_run_can_be_made_a_model_and_go_on(request_: TrainRequest) -> None:
    steps = train_steps(request_)
    while True:
        preview = next(steps).preview
        if preview is not None and preview.step == 2:
            break
    steps.close()
    model = run(finish_steps(FinishTrainingRequest(request_.output, "always")))
    assert model.installed
    assert [card.name for card in list_cards() if card.name == "discs"] == ["discs"]
    state = torch.load(request_.output / "checkpoint.pt", weights_only=True)
    assert state["step"] == 2
    again = run(train_steps(request_))
    state = torch.load(request_.output / "checkpoint.pt", weights_only=True)
    assert state["step"] == 4
    assert again.name in ("discs", "discs-2")


def test_nothing_learned_yet_makes_no_model(request_: TrainRequest) -> None:
    steps = train_steps(request_)
    while next(steps).preview is None:
        pass
    steps.close()
    with pytest.raises(ValueError, match="not learned anything"):
        run(finish_steps(FinishTrainingRequest(request_.output)))


def test_changed_data_end_a_run(request_: TrainRequest) -> None:
    run(train_steps(replace(request_, steps=1)))
    file = request_.data[0] / "labels" / "im0_label.tif"
    tifffile.imwrite(file, tifffile.imread(file)[::-1])
    with pytest.raises(ValueError, match=r"data have changed.*im0_label.tif"):
        run(train_steps(request_))


def test_replay_fills_its_share_and_strips_are_learned_from(
    request_: TrainRequest, tmp_path: Path
) -> None:
    one = write_discs(tmp_path / "one", 1, size=128)
    request = replace(request_, data=(one,), replay=request_.data, steps=1, trainable="lora")
    model = run(train_steps(request))
    assert model.metrics
    text = (request.output / "data.csv").read_text()
    assert text.count("train and validation strip") == 2
    assert text.count("\nreplay,") == 8
    assert text.count("\nknown,") == 2


def test_of_what_was_learned_only_what_the_known_bears_is_taken(
    request_: TrainRequest, tmp_path: Path
) -> None:
    """A learning rate that spoils everything: the base is what is left of it."""
    spoiled = replace(
        request_,
        base="mediar-starter",
        data=(write_discs(tmp_path / "other", 5, seed=9),),
        replay=request_.data,
        learning_rate=0.06,
        smoothing=0.0,
        install="always",
    )
    model = run(train_steps(replace(spoiled, most_forgotten=1.0)))
    assert "replayed images" in model.sentence
    assert "of the learned change" not in model.sentence
    assert model.metrics["known_f1_0.50"] < model.base_metrics["known_f1_0.50"] - 0.1
    learned = load_model(str(spoiled.output)).state_dict()
    kept = run(train_steps(spoiled))  # the run is at its end, so nothing more is learned
    assert kept.metrics["known_f1_0.50"] >= kept.base_metrics["known_f1_0.50"] - 0.005
    assert "of the learned change" in kept.sentence
    scored = load_model(kept.name).state_dict()
    base = load_model("mediar-starter").state_dict()
    share = float(kept.sentence.split(", with ")[1].split("%")[0]) / 100
    for name, value in scored.items():
        if value.is_floating_point():
            expected = torch.lerp(base[name], learned[name], share)
            torch.testing.assert_close(value, expected, atol=2e-2, rtol=2e-2)


def test_a_share_of_the_change_is_taken_without_known_images_too(
    request_: TrainRequest, tiny_model: Path
) -> None:
    whole = run(train_steps(replace(request_, learning_rate=0.01)))
    learned = load_model(str(whole.folder)).state_dict()
    half = run(train_steps(replace(request_, learning_rate=0.01, most_learned=0.5)))
    assert "with 50% of the learned change" in half.sentence
    base = load_model(str(tiny_model)).state_dict()
    for name, value in load_model(str(half.folder)).state_dict().items():
        if value.is_floating_point():
            expected = torch.lerp(base[name], learned[name], 0.5)
            torch.testing.assert_close(value, expected, atol=2e-3, rtol=2e-3)
    with pytest.raises(ValueError, match="only where there is a base"):
        replace(request_, base=None, most_learned=0.5)


@pytest.fixture
def finished(tmp_path: Path) -> TrainingRun:
    settings = LoopSettings(metric="f1_0.50")
    folder = tmp_path / "finished"
    folder.mkdir()
    trained = TrainingRun(torch.nn.Conv2d(1, 1, 1), lambda y: y, settings, folder)
    trained.base = {"f1_0.50": 0.741}
    trained.record({"f1_0.50": 0.812})
    with torch.no_grad():
        trained.average.module.weight.fill_(7.0)
    trained.record({"f1_0.50": 0.5})
    return trained


CARD = ModelCard("mine", "mediar", {}, "")


def test_the_best_weights_are_installed_under_a_name_of_their_own(finished: TrainingRun) -> None:
    judged = Judged("F1", "better", has_base=True)
    model = conclude(finished, CARD, judged)
    assert (model.is_better, model.installed, model.name) == (True, True, "mine")
    assert model.metrics == {"f1_0.50": 0.812}
    assert model.sentence == ("F1 0.812 on the validation part, 0.741 before: installed as 'mine'.")
    weight = finished.winner().state_dict()["weight"]
    assert float(weight) != 7.0
    assert conclude(finished, CARD, judged).name == "mine"  # the same run replaces its own
    (finished.folder / "card.json").unlink()
    assert conclude(finished, CARD, judged).name == "mine-2"
    assert {card.name for card in list_cards()} >= {"mine", "mine-2"}


@pytest.mark.parametrize(
    ("install", "base", "installed", "words"),
    [
        ("better", 0.9, False, "not better than its base, not installed."),
        ("always", 0.9, True, "installed as 'mine' since that was asked for"),
        ("never", 0.1, False, "not installed, as was asked for"),
    ],
)
def test_the_rule_decides_what_is_installed(
    finished: TrainingRun, install: str, base: float, installed: bool, words: str
) -> None:
    finished.base = {"f1_0.50": base}
    model = conclude(finished, CARD, Judged("F1", install, has_base=True))
    assert model.installed is installed
    assert words in model.sentence
    assert model.is_better is (base < 0.8)


def test_a_plan_that_was_made_is_what_is_trained(request_: TrainRequest) -> None:
    plan = plan_training(request_)
    fewer = replace(plan.files, training=plan.files.training[:2])
    model = run(train_steps(request_, replace(plan, files=fewer, warnings=("mind this",))))
    assert model.warnings == ("mind this",)
    with (request_.output / "data.csv").open(newline="") as file:
        roles = [(row["role"], row["kind"]) for row in csv.DictReader(file)]
    assert roles.count(("train", "image")) == 2


@pytest.mark.parametrize("base", [0.1, 0.9])
@pytest.mark.parametrize("objects", [2, 25])
def test_a_score_of_few_objects_is_too_little_to_judge_by(
    finished: TrainingRun, objects: int, base: float
) -> None:
    finished.validation = ScoredImages([objects], count_objects=lambda image: image)
    finished.base = {"f1_0.50": base}
    model = conclude(finished, CARD, Judged("F1", "better", has_base=True))
    better = base < 0.5 if objects == 25 else None
    assert (model.is_better, model.installed) == (better, bool(better))
    few = "Only 2 objects could be scored: too few to judge by" in model.sentence
    assert few == (better is None)
    assert ("not better than its base" in model.sentence) == (better is False)


def test_the_verdict_says_how_many_images_were_scored(finished: TrainingRun) -> None:
    finished.validation = ScoredImages(range(60), 1.0)
    finished.validation.count = 9
    model = conclude(finished, CARD, Judged("F1", "better", has_base=True))
    assert "F1 0.812 on 9 of 60 validation images, 0.741 before" in model.sentence
