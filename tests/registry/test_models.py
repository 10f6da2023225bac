from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch

from napari_ssp.registry import (
    ModelCard,
    find_card,
    list_cards,
    load_model,
    save_model,
)
from napari_ssp.registry.exporting.plain_network import choose_task
from napari_ssp.registry.weights import build_network
from napari_ssp.service.segmentation.plan import find_members
from napari_ssp.service.structures.plan import check_structures_card

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = {"encoder": "tu-resnet18d", "decoder_channels": [16, 16, 16, 16], "pab_channels": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny"
    card = ModelCard("tiny", "mediar", NETWORK, "", voxel_size=(1.0, 0.5, 0.5), figures={"f1": 0.5})
    save_model(build_network(card), card, path)
    return path


def _copy(folder: Path, target: Path) -> Path:
    target.mkdir(parents=True)
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_saved_models_load_as_they_were(folder: Path) -> None:
    card = find_card(folder)
    assert card == ModelCard.read(folder)
    assert card.voxel_size == (1.0, 0.5, 0.5)
    assert card.figures == {"f1": 0.5}
    network = load_model(folder)
    assert not network.training
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert {path.name for path in folder.iterdir()} == {"card.json", "weights.safetensors"}


def test_numbers_beyond_float16_are_stored_as_they_are(tmp_path: Path) -> None:
    card = ModelCard("wide", "mediar", NETWORK, "")
    network = build_network(card)
    name, statistics = next((k, v) for k, v in network.state_dict().items() if "running_var" in k)
    statistics.fill_(1e5)
    save_model(network, card, tmp_path / "wide")
    assert torch.equal(load_model(tmp_path / "wide").state_dict()[name], statistics)


def test_user_models_are_found_by_name(folder: Path, cache: Path) -> None:
    _copy(folder, cache / "models" / "tiny")
    assert "tiny" in [card.name for card in list_cards()]
    assert find_card("tiny").folder == cache / "models" / "tiny"


def test_a_broken_model_does_not_hide_the_others(cache: Path) -> None:
    broken = cache / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "card.json").write_text("{")
    assert "mediar-starter" in [card.name for card in list_cards()]


def test_the_starter_is_small_and_verified() -> None:
    card = find_card("mediar-starter")
    assert card.weights.stat().st_size < 12e6
    assert card.licence
    assert card.training_data
    network = load_model(card)
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 3, 64, 64)


@pytest.mark.parametrize("damage", ["truncated", "other", "empty"])
def test_damaged_weights_are_refused(folder: Path, tmp_path: Path, damage: str) -> None:
    path = _copy(folder, tmp_path / "m") / "weights.safetensors"
    content = path.read_bytes()
    path.write_bytes({"truncated": content[:-9], "other": content[::-1], "empty": b""}[damage])
    with pytest.raises(ValueError, match="damaged or were replaced"):
        load_model(tmp_path / "m")


def test_weights_of_another_network_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = _copy(folder, tmp_path / "m")
    card = json.loads((copy / "card.json").read_text())
    card["network"]["pab_channels"] = 32
    (copy / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="does not hold the weights of 'tiny'"):
        load_model(copy)


def test_a_file_that_is_no_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    from napari_ssp.registry.weights import file_sha256

    copy = _copy(folder, tmp_path / "m")
    (copy / "weights.safetensors").write_bytes(b"a page instead of a file")
    card = json.loads((copy / "card.json").read_text())
    card["sha256"] = file_sha256(copy / "weights.safetensors")
    (copy / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="does not hold the weights"):
        load_model(copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"family": "oracle"}, "family 'oracle'"),
        ({"network": {"encoder": "no-such"}}, "do not fit"),
        ({"network": {"depth": 3}}, "do not fit"),
    ],
)
def test_cards_that_no_network_fits(
    folder: Path, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    copy = _copy(folder, tmp_path / "m")
    card = json.loads((copy / "card.json").read_text()) | change
    (copy / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=words):
        load_model(copy)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"card\.json"):
        find_card(tmp_path)
    file = tmp_path / "model.pth"
    file.write_bytes(b"x")
    with pytest.raises(ValueError, match="is a file"):
        find_card(file)
    with pytest.raises(FileNotFoundError, match="There is no model 'xyz'"):
        find_card("xyz")


@pytest.mark.parametrize("text", ["[]", "{}", '{"name": 3}', "no json"])
def test_cards_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(ValueError, match="not a valid model card"):
        ModelCard.read(tmp_path)


def test_missing_weights_are_named(folder: Path, tmp_path: Path) -> None:
    copy = _copy(folder, tmp_path / "m")
    (copy / "weights.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="weights of 'tiny' are missing"):
        load_model(copy)


@pytest.mark.parametrize(
    ("family", "network", "makes"),
    [
        ("student", {"size": 32, "width": 12, "depth": 1, "heads": 3}, "objects"),
        ("teacher", {"size": 32, "width": 4, "depth": 2}, "errors"),
    ],
)
def test_students_and_teachers_are_models(
    tmp_path: Path, family: str, network: dict[str, object], makes: str
) -> None:
    card = ModelCard("small", family, network, "", window=(32, 32), tasks=("mitochondria",))
    made = build_network(card)
    written = save_model(made, card, tmp_path, torch.float32)
    assert find_card(tmp_path) == written
    assert written.makes == makes
    state = load_model(tmp_path).state_dict()
    assert all(torch.equal(state[key], value) for key, value in made.state_dict().items())


def test_a_teacher_is_no_model_to_segment_or_predict_with(tmp_path: Path) -> None:
    network = {"architecture": "critic", "size": 32, "width": 4, "depth": 2}
    card = ModelCard("small", "teacher", network, "", window=(32, 32))
    save_model(build_network(card), card, tmp_path)
    with pytest.raises(ValueError, match="'small' predicts errors; it does not segment cells"):
        find_members(str(tmp_path))
    with pytest.raises(ValueError, match="'small' predicts errors; it does not predict structures"):
        check_structures_card(find_card(tmp_path))
    with pytest.raises(ValueError, match="'small' is a teacher, which is written for this program"):
        choose_task(find_card(tmp_path), None)


def test_a_network_that_gets_its_numbers_from_a_file_draws_none(tiny_model: Path) -> None:
    """A user's own random numbers stay what they are, and no time goes into more of them."""
    torch.manual_seed(7)
    before = torch.get_rng_state()
    network = load_model(tiny_model)
    assert torch.equal(torch.get_rng_state(), before)
    built = build_network(ModelCard.read(tiny_model))
    assert not torch.equal(torch.get_rng_state(), before), "a new one does"
    assert set(network.state_dict()) == set(built.state_dict())
