"""Cards, catalogues and models in one file, as version 0.1.0 wrote them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from readers import download_headers, trusts
from stated import (
    ADDRESS,
    CELLS,
    CELLS_CARD,
    ENSEMBLE_CARD,
    EVERY_FIELD_CARD,
    REMOTE,
    STRUCTURES_CARD,
)

from napari_ssp.registry import (
    ModelCard,
    Remote,
    add_catalogue,
    catalogue_places,
    find_card,
    find_in_catalogue,
    import_checkpoint,
    is_installed,
    list_cards,
    load_model,
    remove_catalogue,
)

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import LayOut

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*")

TRAINED: dict[str, Any] = {
    "name": "my-model",
    "family": "mediar",
    "network": CELLS,
    "object_diameter": 10.155412503859614,
    "figures": {"f1_0.50": 0.0, "f1_0.75": 0.0},
}
CARDS: dict[str, ModelCard] = {
    "cards/every-field": ModelCard(**EVERY_FIELD_CARD, remote=Remote(**REMOTE)),
    "cache/models/tiny-cells": ModelCard(**CELLS_CARD, sha256=""),
    "cache/models/tiny-structures": ModelCard(**STRUCTURES_CARD, sha256=""),
    "lab/lab-cells": ModelCard(**{**CELLS_CARD, "name": "lab-cells"}, sha256=""),
    "cards/trained-cells": ModelCard(
        **TRAINED,
        sha256="",
        description="MEDIAR-Former trained on 2 images.",
        training_data="cells",
    ),
    "cards/trained-lora": ModelCard(
        **TRAINED,
        sha256="",
        window=(64, 64),
        description="'tiny-cells', trained further (lora) on 2 images.",
        training_data="cells; before: tiny-cells",
    ),
    "cards/trained-tubulin": ModelCard(
        **{
            **STRUCTURES_CARD,
            "name": "my-structures",
            "network": {"num_tasks": 4, "base_channels": 1, "own_experts": [3]},
            "tasks": (*STRUCTURES_CARD["tasks"], "tubulin"),
            "target_statistics": {"dna": (120.0, 30.0), "tubulin": (225.0, 55.90169943749474)},
            "description": "'tiny-structures', with 'tubulin' added. RepMode trained on 2 stacks.",
        },
        sha256="",
        training_data="tubulin; before: tiny-structures",
    ),
    "cache/models/doubled-it": ModelCard(
        name="doubled-it",
        family="package",
        network={
            "format": "torchscript",
            "sizes": [[8, 4], [8, 4]],
            "input_channels": 1,
            "output": "image",
            "preprocessing": [{"id": "scale_linear", "kwargs": {"gain": 1.0, "offset": 0.5}}],
            "postprocessing": [{"id": "clip", "kwargs": {"min": 0.0, "max": 500.0}}],
        },
        sha256="",
        tasks=("grey",),
        description="Doubles.",
        licence="MIT",
        citation="A paper 10.1/1",
    ),
}


@pytest.mark.parametrize("place", CARDS)
def test_every_entry_of_a_card_has_its_value(lay_out: LayOut, tmp_path: Path, place: str) -> None:
    folder = lay_out(place) / place
    card, stated = ModelCard.read(folder), CARDS[place]
    if not stated.sha256:
        assert len(card.sha256) == 64
        stated = replace(stated, sha256=card.sha256)
    if place.endswith("doubled-it"):
        assert card.origin == f"imported from doubled.zip, sha256 {card.sha256}"
        stated = replace(stated, origin=card.origin)
    if place.endswith("tubulin"):
        assert {"pcc", "mse", "pcc tubulin"} <= set(card.figures)
        stated = replace(stated, figures=card.figures)
    assert card == stated
    assert [type(value) for value in vars(card).values()][:-1] == [
        type(value) for value in vars(stated).values()
    ][:-1]
    written = (folder / "card.json").read_text(encoding="utf-8")
    assert card.text() == written
    card.write(tmp_path)
    assert (tmp_path / "card.json").read_text(encoding="utf-8") == written


def test_installed_models_are_loaded(lay_out: LayOut) -> None:
    lay_out("cache/models")
    cells, structures = load_model("tiny-cells"), load_model("tiny-structures")
    with torch.inference_mode():
        assert cells(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)
        found = structures(torch.zeros(1, 1, 16, 16, 16), torch.tensor([2]))
    assert found.shape == (1, 1, 16, 16, 16)


def test_a_program_that_was_agreed_to_is_run(lay_out: LayOut) -> None:
    lay_out("cache")
    card = find_card("doubled-it")
    assert trusts(card.sha256)
    assert not trusts("0" * 64)
    x = torch.rand(1, 1, 8, 8)
    torch.testing.assert_close(load_model(card)(x), 2 * x)


def test_catalogues_offer_what_they_say(lay_out: LayOut) -> None:
    root = lay_out("cache", "lab")
    lab = str(root / "lab")
    assert catalogue_places() == [lab, ADDRESS]
    every = ModelCard(**EVERY_FIELD_CARD)
    far = "https://lab.example.org/models/files/every-field.pth"
    for name, first in (
        ("every-field", str(root / "lab/files/every-field.pth")),
        ("far-field", far),
    ):
        card = find_in_catalogue(name)
        urls = (first, REMOTE["urls"][1])
        assert card == replace(every, name=name, remote=Remote(**{**REMOTE, "urls": urls}))
        assert not is_installed(card)
    names = [card.name for card in list_cards()]
    assert {"tiny-cells", "tiny-structures", "doubled-it", "lab-cells", "lab-ensemble"} <= {*names}
    ensemble = find_card("lab-ensemble")
    assert ensemble == replace(ModelCard(**ENSEMBLE_CARD), sha256=ensemble.sha256)
    assert find_card("lab-cells").folder == root / "lab/lab-cells"


def test_catalogues_are_added_and_forgotten_as_before(lay_out: LayOut) -> None:
    root = lay_out("cache", "lab")
    kept = (root / "cache/catalogues.json").read_text(encoding="utf-8")
    lab = str(root / "lab")
    remove_catalogue(ADDRESS)
    assert list((root / "cache/catalogues").iterdir()) == []
    assert catalogue_places() == [lab]
    with pytest.raises(StopIteration) as stopped:
        next(add_catalogue("lab"))
    assert [card.name for card in stopped.value.value] == [
        "lab-cells",
        "every-field",
        "lab-ensemble",
    ]
    assert json.loads((root / "cache/catalogues.json").read_text(encoding="utf-8")) == [lab]
    assert json.loads(kept) == [lab, ADDRESS]


def test_models_in_one_file_are_imported(lay_out: LayOut) -> None:
    root = lay_out("packages")
    card = import_checkpoint(root / "packages/tiny-structures.zip")
    origin = "imported from tiny-structures.zip"
    stated = ModelCard(**STRUCTURES_CARD, sha256=card.sha256, origin=origin)
    assert card == replace(stated, parameters=card.parameters)
    assert card.parameters > 100_000
    assert import_checkpoint(root / "packages/doubled.zip", trusted=True).name == "doubled-it"


def test_a_download_goes_on_where_it_was_broken_off(lay_out: LayOut) -> None:
    path = lay_out("downloads") / "downloads/model.pth"
    headers, total = download_headers(path, "https://lab.example.org/model.pth")
    assert (headers["Range"], headers["If-Range"], total) == ("bytes=6-", '"version-1"', 4096)
