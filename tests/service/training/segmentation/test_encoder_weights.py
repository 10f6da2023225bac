"""A training that begins with pretrained encoder weights: plan, provenance, resuming, refusals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import torch
from encoder_networks import SMALL, full_network
from skimage import data

from napari_ssp.progress import run
from napari_ssp.registry import ModelCard, card_lines, file_sha256, load_model
from napari_ssp.service import PlanRequest, TrainRequest
from napari_ssp.service.training.plan import plan_training
from napari_ssp.service.training.request_files import REQUEST_FILE, read_request
from napari_ssp.service.training.steps import train_steps

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


@pytest.fixture
def coins(tmp_path: Path) -> Path:
    folder = tmp_path / "coins"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    tifffile.imwrite(folder / "images" / "a.tif", data.coins()[:64, :64])
    labels = (data.coins()[:64, :64] > 120).astype(np.uint16)
    tifffile.imwrite(folder / "labels" / "a_label.tif", labels)
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "own.pth"
    torch.save(full_network(SMALL).state_dict(), path)
    return path


def asked(coins: Path, weights: Path | str | None, **choices: Any) -> TrainRequest:
    usual: dict[str, Any] = {
        "output": coins.parent / "run",
        "encoder": f"tu-{SMALL}",
        "decoder_channels": (8, 8, 8, 8),
        "pab_channels": 4,
        "steps": 1,
        "minutes": None,
        "learning_rate": 1e-7,
        "batch_size": 2,
        "crop": 64,
        "device": "cpu",
        "install": "never",
        "encoder_weights": weights and str(weights),
    }
    return TrainRequest((coins,), **(usual | choices))


def test_a_model_begins_with_the_weights_says_so_and_goes_on_without_the_file(
    coins: Path, weights: Path
) -> None:
    request = asked(coins, weights)
    plan = plan_training(request)
    assert "encoder with the weights of own.pth (licence not stated)" in plan.summary
    model = run(train_steps(request))
    given = torch.load(weights, weights_only=True)["blocks.1.0.conv_pwl.weight"]
    learned = load_model(model.folder).encoder.model.blocks[1][0].conv_pwl.weight
    torch.testing.assert_close(learned, given, atol=1e-3, rtol=0)
    card = ModelCard.read(model.folder)
    assert card.encoder_weights is not None
    assert card.encoder_weights.source == "own.pth"
    assert card.encoder_weights.sha256 == file_sha256(weights)
    assert ("encoder began with", "own.pth (licence: not stated)") in card_lines(card)
    noted = json.loads((model.folder / "encoder.json").read_text())
    assert noted["sha256"] == file_sha256(weights)

    weights.unlink()
    again = read_request(model.folder)
    assert again == request
    longer = asked(coins, weights, steps=2)
    assert "encoder begun with own.pth" in plan_training(longer).summary
    longer_model = run(train_steps(longer))
    assert ModelCard.read(longer_model.folder).encoder_weights == card.encoder_weights
    # A model that is trained further keeps it.
    further = TrainRequest(
        (coins,), coins.parent / "further", base=str(model.folder), steps=1, minutes=None,
        batch_size=2, crop=64, device="cpu", install="never",
    )  # fmt: skip
    run(train_steps(further))
    assert ModelCard.read(further.output).encoder_weights == card.encoder_weights


def test_without_weights_the_files_are_those_of_before(coins: Path, weights: Path) -> None:
    request = asked(coins, None)
    (request.output).mkdir()
    (request.output / "encoder.json").write_text("{}")  # of a start that came to nothing
    run(train_steps(request))
    assert "encoder_weights" not in json.loads((request.output / REQUEST_FILE).read_text())
    assert "encoder_weights" not in json.loads((request.output / "card.json").read_text())
    assert not (request.output / "encoder.json").exists()
    with pytest.raises(ValueError, match="was started without pretrained encoder weights"):
        plan_training(asked(coins, weights))


def test_what_cannot_be_used_is_refused_before_the_run_has_a_folder(
    coins: Path, weights: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="no file of encoder weights"):
        plan_training(asked(coins, coins / "none.pth"))
    with pytest.raises(ValueError, match="brings the weights of its encoder"):
        asked(coins, weights, base="mediar-starter")
    weights.write_bytes(weights.read_bytes()[:5000])
    request = asked(coins, weights)
    with pytest.raises(ValueError, match=r"own\.pth is damaged"):
        run(train_steps(request))
    torch.save(full_network("resnet10t").state_dict(), weights)
    with pytest.raises(ValueError, match=r"of its 68 tensors are missing \(conv_stem.weight"):
        run(train_steps(request))
    assert not request.output.exists()


def test_imagenet_without_a_connection_is_said_by_the_plan(
    coins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    request = asked(coins, "imagenet")
    assert PlanRequest(request).request.network.encoder_weights == "imagenet"
    with pytest.raises(ConnectionError, match=r"ImageNet weights of tu-\w+ could not be downloade"):
        plan_training(request)
    assert not request.output.exists()
