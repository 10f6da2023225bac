"""Checkpoints in the formats of the original programs, with weights that can be made again."""

from __future__ import annotations

import argparse
import json
import shutil
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_ssp.progress import run
from napari_ssp.registry import (
    ModelCard,
    export_steps,
    find_card,
    import_checkpoint,
    import_steps,
    list_cards,
    load_model,
)
from napari_ssp.registry.importing.allen_structures import ALLEN_STRUCTURES
from napari_ssp.registry.weights import file_sha256

if TYPE_CHECKING:
    from pathlib import Path

TASKS = tuple(sorted(ALLEN_STRUCTURES))


@pytest.fixture(scope="module")
def facts(reference: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((reference / "checkpoints.json").read_text())
    return found


@pytest.fixture(scope="module")
def tiny_mediar(facts: dict[str, Any]) -> dict[str, torch.Tensor]:
    from seeded_weights import seeded_state_dict

    return seeded_state_dict(facts["mediar_former"]["variants"]["tiny_mit_b0"]["keys"], 0)


@pytest.fixture(scope="module")
def tiny_repmode(facts: dict[str, Any]) -> dict[str, torch.Tensor]:
    from seeded_weights import seeded_state_dict

    return seeded_state_dict(facts["repmode"]["variants"]["4"], 0)


def _input(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    from seeded_weights import seeded_input

    x: np.ndarray[Any, Any] = seeded_input(name, shape, 0)
    return np.clip(0.5 + 0.25 * x, 0, 1) if name == "mediar01" else x


def _as_repmode(state: dict[str, torch.Tensor], **options: Any) -> dict[str, Any]:
    chosen = {"adopted_datasets": list(TASKS), "nn_module": "RepMode", **options}
    return {
        "nn_module": "RepMode",
        "opts": argparse.Namespace(**chosen),
        "nn_state": OrderedDict(state),
        "optimizer_state": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []},
        "count_iter": 160,
        "count_epoch": 20,
    }


def _assert_same(card: ModelCard, state: dict[str, torch.Tensor]) -> None:
    stored = load_file(card.weights)
    assert stored.keys() == state.keys()
    assert all(torch.equal(stored[key], state[key]) for key in state)
    assert {value.dtype for value in stored.values()} == {torch.float32, torch.int64}


def test_the_published_mediar_size(
    facts: dict[str, Any], reference: Path, cache: Path, tmp_path: Path
) -> None:
    """A `from_phase1.pth` of the published size computes what the original does."""
    from seeded_weights import seeded_state_dict

    path = tmp_path / "from_phase1.pth"
    torch.save(seeded_state_dict(facts["mediar_former"]["keys"], 0), path)
    card = import_checkpoint(path)
    path.unlink()
    assert (card.name, card.family, card.parameters) == ("from_phase1", "mediar", 121_303_587)
    assert card.network == {
        "encoder": "mit_b5",
        "decoder_channels": [1024, 512, 256, 128, 64],
        "pab_channels": 256,
    }
    golden = np.load(reference / "forward_mediar_shared.npz")["mit_b5_1x3x64x64"]
    with torch.inference_mode():
        output = load_model("from_phase1")(torch.from_numpy(_input("mediar01", (1, 3, 64, 64))))
    np.testing.assert_allclose(output.numpy(), golden, atol=1e-4 * golden.std())


def test_the_published_repmode_size(
    facts: dict[str, Any], reference: Path, cache: Path, tmp_path: Path
) -> None:
    from seeded_weights import seeded_state_dict

    path = tmp_path / "model best.p"
    torch.save(_as_repmode(seeded_state_dict(facts["repmode"]["keys"], 0)), path)
    card = import_checkpoint(path)
    path.unlink()
    assert (card.name, card.parameters) == ("model-best", 123_877_633)
    assert card.network == {"num_tasks": 12, "base_channels": 32}
    golden = np.load(reference / "forward_repmode_shared.npz")["m32_1x1x16x32x32_t5"]
    x = torch.from_numpy(_input("repmode", (1, 1, 16, 32, 32)))
    with torch.inference_mode():
        output = load_model(card)(x, torch.tensor([5])).numpy()
    np.testing.assert_allclose(output, golden, atol=1e-4 * golden.std())


def test_a_file_of_the_original_program(
    facts: dict[str, Any], repmode_file: Path, cache: Path
) -> None:
    from seeded_weights import seeded_state_dict

    card = import_checkpoint(repmode_file, "tiny")
    assert card.folder == cache / "models" / "tiny"
    assert card == find_card("tiny")
    assert card.tasks == TASKS == tuple(facts["repmode"]["tasks"])
    assert card.network == {"num_tasks": 12, "base_channels": 1}
    assert (card.axes, card.window, card.voxel_size) == ("zyx", (32, 128, 128), (0.29,) * 3)
    assert set(card.task_descriptions) == set(TASKS)
    assert "epoch 20, iteration 160" in card.description
    assert card.licence.startswith("not stated")
    assert file_sha256(repmode_file) in card.origin
    assert card.sha256 == file_sha256(card.weights)
    _assert_same(card, seeded_state_dict(facts["repmode"]["variants"]["1"], 0))
    assert sorted(p.name for p in card.folder.iterdir()) == ["card.json", "weights.safetensors"]
    assert [p.name for p in (cache / "models").iterdir()] == ["tiny"]


@pytest.mark.parametrize("kind", ["plain", "module", "head", "legacy", "safetensors", "parameters"])
def test_the_ways_to_write_a_mediar(
    tiny_mediar: dict[str, torch.Tensor], cache: Path, tmp_path: Path, kind: str
) -> None:
    path, state = tmp_path / "main_model.pth", dict(tiny_mediar)
    if kind == "module":
        state = {f"module.{key}": value for key, value in state.items()}
    if kind == "head":
        # The head of the authors' napari plugin fits 64 channels; here it is simply not used.
        state["segmentation_head.0.weight"] = torch.zeros(3, 64, 3, 3)
        state["segmentation_head.0.bias"] = torch.zeros(3)
    if kind == "parameters":
        state = {k: torch.nn.Parameter(v) if v.ndim > 1 else v for k, v in state.items()}
    if kind == "safetensors":
        path = path.with_suffix(".safetensors")
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind != "legacy")
    card = import_checkpoint(path, "lab")
    assert card.network == {
        "encoder": "mit_b0",
        "decoder_channels": [64, 32, 16, 8, 8],
        "pab_channels": 16,
    }
    _assert_same(card, tiny_mediar)
    assert not load_model("lab").training


@pytest.mark.parametrize(
    "encoder", ["mit_b0", "mit_b1", "mit_b2", "mit_b3", "mit_b4"], ids=lambda name: name[4:]
)
def test_encoders_are_told_apart(cache: Path, tmp_path: Path, encoder: str) -> None:
    from napari_ssp.networks import MediarFormer
    from napari_ssp.registry.importing.recognition import recognise

    state = MediarFormer(encoder, (32, 16, 16, 8, 8), 16).state_dict()
    torch.save(state, tmp_path / "x.pth")
    assert recognise(state, tmp_path / "x.pth").network["encoder"] == encoder


def test_one_head_too_many_is_not_dropped(
    tiny_mediar: dict[str, torch.Tensor], cache: Path, tmp_path: Path
) -> None:
    other = tiny_mediar | {"segmentation_head.0.weight": torch.zeros(3, 8, 3, 3)}
    torch.save(other, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=r"unknown: 'segmentation_head\.0\.weight'"):
        import_checkpoint(tmp_path / "x.pth")


@pytest.mark.parametrize("prefix", ["", "module."])
def test_tasks_are_numbered_as_repmode_does(
    tiny_repmode: dict[str, torch.Tensor], cache: Path, tmp_path: Path, prefix: str
) -> None:
    """Sorted: the order in which somebody typed the datasets does not count."""
    state = {prefix + key: value for key, value in tiny_repmode.items()}
    content = _as_repmode(state, adopted_datasets=list(reversed(TASKS)))
    torch.save(content, tmp_path / "x.p")
    card = import_checkpoint(tmp_path / "x.p")
    assert card.tasks == TASKS
    _assert_same(card, tiny_repmode)


def test_other_structures_come_without_the_allen_facts(cache: Path, tmp_path: Path) -> None:
    from napari_ssp.networks import RepMode

    state = RepMode(num_tasks=2, base_channels=2).state_dict()
    torch.save(_as_repmode(state, adopted_datasets=["tom20", "golgi"]), tmp_path / "x.p")
    card = import_checkpoint(tmp_path / "x.p")
    assert card.tasks == ("golgi", "tom20")
    assert card.voxel_size is None
    assert card.task_descriptions == {}
    torch.save(state, tmp_path / "bare.pth")
    bare = import_checkpoint(tmp_path / "bare.pth")
    assert bare.tasks == ("task_01", "task_02")
    assert "does not name its structures" in bare.description


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"adopted_datasets": ["dna"]}, "name 1 structures, its gates have 12"),
        ({"adopted_datasets": ["a\n"] * 12}, ""),
        ({"adopted_datasets": "dna"}, ""),
    ],
)
def test_options_that_contradict_the_weights(
    tiny_repmode: dict[str, torch.Tensor],
    cache: Path,
    tmp_path: Path,
    change: dict[str, Any],
    words: str,
) -> None:
    torch.save(_as_repmode(tiny_repmode, **change), tmp_path / "x.p")
    if words:
        with pytest.raises(ValueError, match=words):
            import_checkpoint(tmp_path / "x.p")
    else:
        assert import_checkpoint(tmp_path / "x.p").tasks[0] == "task_01"


def _without(state: dict[str, torch.Tensor], key: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: _without(s, "encoder.norm3.bias"), r"missing: 'encoder\.norm3\.bias'"),
        (lambda s: s | {"extra": torch.zeros(1)}, "unknown: 'extra'"),
        (
            lambda s: s | {"encoder.norm3.bias": torch.zeros(7)},
            r"'encoder\.norm3\.bias' is \(7,\) instead of \(160,\)",
        ),
        (
            lambda s: s | {"encoder.norm3.bias": torch.full((160,), torch.nan)},
            r"'encoder\.norm3\.bias' holds values that are not finite",
        ),
        (lambda s: _without(s, "decoder.center.top_conv.weight"), "is missing"),
        (
            lambda s: {k: v for k, v in s.items() if not k.startswith("encoder.block4")},
            "other numbers",
        ),
        (
            lambda s: {k: v for k, v in s.items() if not k.startswith("encoder.patch_embed1")},
            "an encoder that its weights do not name",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tiny_mediar: dict[str, torch.Tensor], cache: Path, tmp_path: Path, change: Any, words: str
) -> None:
    """Never `strict=False`, which would leave parts of the network at random."""
    torch.save(change(dict(tiny_mediar)), tmp_path / "x.pth")
    with pytest.raises(ValueError, match=words):
        import_checkpoint(tmp_path / "x.pth")
    assert not list(cache.rglob("*.safetensors"))


def test_names(tiny_repmode: dict[str, torch.Tensor], cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "a b (1).p"
    torch.save(_as_repmode(tiny_repmode), path)
    first = import_checkpoint(path)
    assert first.name == "a-b-1"
    with pytest.raises(FileExistsError, match="'a-b-1' already"):
        import_checkpoint(path)
    again = import_checkpoint(path, overwrite=True)
    assert again == first
    assert import_checkpoint(path, "other").name == "other"
    for taken in ("mediar-starter", "repmode-starter"):
        if any(card.name == taken for card in list_cards()):
            with pytest.raises(FileExistsError, match="model of the package"):
                import_checkpoint(path, taken, overwrite=True)
    for bad in ("../x", "a/b", "", ".hidden", "a" * 65, "c:x", "x."):
        with pytest.raises(ValueError, match="cannot be the name of a model"):
            import_checkpoint(path, bad)
    assert sorted(p.name for p in (cache / "models").iterdir()) == ["a-b-1", "other"]


def test_a_failed_replacement_leaves_the_old_model(
    tiny_repmode: dict[str, torch.Tensor], cache: Path, tmp_path: Path
) -> None:
    torch.save(_as_repmode(tiny_repmode), tmp_path / "x.p")
    card = import_checkpoint(tmp_path / "x.p")
    broken = tiny_repmode | {"conv_out.gate.bias": torch.full((5,), torch.inf)}
    torch.save(_as_repmode(broken), tmp_path / "x.p")
    with pytest.raises(ValueError, match="not finite"):
        import_checkpoint(tmp_path / "x.p", overwrite=True)
    assert find_card("x") == card
    load_model("x")


def test_a_cancelled_import_leaves_nothing(
    tiny_repmode: dict[str, torch.Tensor], cache: Path, tmp_path: Path
) -> None:
    torch.save(_as_repmode(tiny_repmode), tmp_path / "x.p")
    count = sum(1 for _ in import_steps(tmp_path / "x.p", "whole"))
    for stop in (1, count - 2, count - 1):
        steps = import_steps(tmp_path / "x.p", "part")
        for _ in range(stop):
            next(steps)
        steps.close()
        assert [p.name for p in (cache / "models").iterdir()] == ["whole"]


def test_published_files_are_known_by_their_digest(
    tiny_mediar: dict[str, torch.Tensor],
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dataclasses import replace

    from napari_ssp.registry.catalogue import list_catalogue
    from napari_ssp.registry.importing import steps as importing

    torch.save(tiny_mediar, tmp_path / "anything.pth")
    network = {"encoder": "mit_b0", "decoder_channels": [64, 32, 16, 8, 8], "pab_channels": 16}
    published = next(card for card in list_catalogue() if card.name == "mediar-phase1")
    assert published.remote is not None
    remote = replace(published.remote, md5="", sha256=file_sha256(tmp_path / "anything.pth"))
    card = replace(published, network=network, remote=remote)
    monkeypatch.setattr(importing, "list_catalogue", lambda: [card])
    found = import_checkpoint(tmp_path / "anything.pth")
    assert found.name == "mediar-phase1"
    assert found.licence == published.licence
    assert found.parameters == 5_482_087
    wrong = replace(card, network=network | {"pab_channels": 64})
    monkeypatch.setattr(importing, "list_catalogue", lambda: [wrong])
    with pytest.raises(ValueError, match=r"the card of 'mediar-phase1' says mediar"):
        import_checkpoint(tmp_path / "anything.pth", overwrite=True)


def test_our_folders_and_packages(tiny_model: Path, cache: Path, tmp_path: Path) -> None:
    card = import_checkpoint(tiny_model)
    assert card.name == "tiny"
    assert card.sha256 == ModelCard.read(tiny_model).sha256
    package = run(export_steps("tiny", tmp_path / "tiny.zip"))
    copied = import_checkpoint(package, "copied")
    assert copied.sha256 == card.sha256
    assert copied.network == card.network
    assert copied.weights.read_bytes() == card.weights.read_bytes()
    assert sorted(p.name for p in (cache / "models").iterdir()) == ["copied", "tiny"]
    with pytest.raises(FileExistsError, match=r"tiny\.zip' exists already"):
        run(export_steps("tiny", package))
    run(export_steps("tiny", package, overwrite=True))
    with pytest.raises(ValueError, match=r"to a \.zip file"):
        run(export_steps("tiny", tmp_path / "tiny.pth"))


def test_a_folder_with_other_weights(tiny_model: Path, cache: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "m")
    content = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(content[:-4] + b"1234")
    with pytest.raises(ValueError, match="damaged or were replaced"):
        import_checkpoint(folder)
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        import_checkpoint(tmp_path / "nothing.pth")
