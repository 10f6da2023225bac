"""Files that want to harm: nothing of them is executed, and each is refused with its reason."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from napari_ssp.progress import run
from napari_ssp.registry import export_steps, import_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


class Command:
    """Runs a command when it is unpickled the ordinary way."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


class Hidden:
    """A class that only the sender has."""

    def __init__(self) -> None:
        self.weight = torch.zeros(2)


class Calls:
    """Calls anything."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """File that exists only after something was executed."""
    path = tmp_path / "executed"
    yield path
    assert not path.exists()


def _refused(path: Path, cache: Path, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        import_checkpoint(path)
    assert [found for found in cache.rglob("*") if found.is_file()] == []


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("where", ["top", "value", "options", "state", "key"])
def test_commands(cache: Path, tmp_path: Path, trap: Path, legacy: bool, where: str) -> None:
    command, path = Command(f"touch {trap}"), tmp_path / "weights.p"
    state = OrderedDict(weight=torch.zeros(3))
    content: Any = {
        "top": command,
        "value": {"weight": torch.zeros(3), "more": command},
        "options": {"nn_state": state, "opts": argparse.Namespace(run_name=command)},
        "state": {"nn_state": {"weight": command}, "opts": argparse.Namespace()},
        "key": {"nn_state": state, "opts": argparse.Namespace(), "list": [[command]]},
    }[where]
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    _refused(path, cache, r"asks for '(posix|nt)\.system', which weights do not need")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_commands_in_a_bare_pickle(cache: Path, tmp_path: Path, trap: Path, protocol: int) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(Command(f"touch {trap}"), protocol=protocol))
    words = r"asks for '(posix|nt)\.system'" if protocol > 1 else "no model that is known"
    _refused(path, cache, words)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (eval, ("1",), "builtins.eval"),
        (exec, ("1",), "builtins.exec"),
        (getattr, ("text", "join"), "builtins.getattr"),
        (torch.load, ("x",), "torch.serialization.load"),
        (torch.hub.load, ("a/b", "c"), "torch.hub.load"),
        (torch.jit.load, ("x",), r"torch.jit\..*load"),
        (open, ("x", "w"), r"(_)?io\.open"),
        (pickle.loads, (b"x",), r"(_pickle|_compat_pickle|pickle)\.loads"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or "",
)
def test_functions(
    cache: Path, tmp_path: Path, function: Any, arguments: tuple[Any, ...], name: str
) -> None:
    torch.save({"weight": Calls(function, *arguments)}, tmp_path / "x.pth")
    _refused(
        tmp_path / "x.pth", cache, f"asks for '{name}'".replace("builtins", "(builtins|__b.*)")
    )


def test_a_hidden_class(cache: Path, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2), "extra": Hidden()}, tmp_path / "x.pth")
    _refused(tmp_path / "x.pth", cache, r"asks for '.*Hidden', which weights do not need")


def test_a_name_that_is_put_together(cache: Path, tmp_path: Path, trap: Path) -> None:
    """The two halves of the name come from the memory of the pickle."""
    code = (
        (
            b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x8c\x03abc\x94\x8c\x03def\x94"
            b"00" + b"00" + b"h\x00h\x01\x93\x8c" + bytes([len(f"touch {trap}")])
        )
        + f"touch {trap}".encode()
        + b"\x85R."
    )
    (tmp_path / "x.pth").write_bytes(code)
    _refused(tmp_path / "x.pth", cache, "refused and nothing was executed|damaged")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_network_as_a_whole_is_told_what_to_do(cache: Path, tmp_path: Path, legacy: bool) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.PReLU())
    path = tmp_path / "student.pth"
    torch.save(network, path, _use_new_zipfile_serialization=not legacy)
    _refused(path, cache, r"holds a network as a whole.*torch\.save\(model\.state_dict\(\)")


def test_the_options_are_allowed_to_repmode_only(cache: Path, tmp_path: Path) -> None:
    torch.save({"weight": argparse.Namespace(a=1)}, tmp_path / "x.pth")
    _refused(tmp_path / "x.pth", cache, "'argparse.Namespace', but is no file of RepMode")
    torch.save(argparse.Namespace(a=1), tmp_path / "x.pth")
    _refused(tmp_path / "x.pth", cache, "holds Namespace, not a dictionary")


def _rezip(path: Path, compression: int, extra: bytes = b"", twice: bool = False) -> None:
    """Write a PyTorch archive again, packed."""
    with zipfile.ZipFile(path) as archive:
        parts = [(item.filename, archive.read(item)) for item in archive.infolist()]
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts:
            archive.writestr(name, content)
        if extra:
            archive.writestr(f"{parts[0][0].split('/')[0]}/data/9", extra)
        if twice:
            archive.writestr(zipfile.ZipInfo(parts[0][0]), parts[0][1])


def test_a_zip_bomb(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"weight": torch.zeros(3)}, path)
    _rezip(path, zipfile.ZIP_DEFLATED, extra=bytes(200_000_000))
    assert path.stat().st_size < 300_000
    _refused(path, cache, r"would become 2\d{8} bytes")


def test_a_bomb_in_the_list_of_contents(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(300_000_000))
    _refused(path, cache, "its list of contents is 300000000 bytes long")


def test_a_tensor_that_is_larger_than_its_file(cache: Path, tmp_path: Path) -> None:
    """One number, repeated over and over by a stride of 0: it would fill the memory."""
    torch.save({"gradflow_head.3.weight": torch.zeros(1).expand(10**7, 10**7)}, tmp_path / "x.pth")
    _refused(tmp_path / "x.pth", cache, "its tensors would take 400000000000000 bytes")


def test_shapes_that_would_build_a_giant(cache: Path, tmp_path: Path) -> None:
    first = "encoder_block1.conv_more.conv1"
    state = {
        f"{first}.expert_conv5x5_conv": torch.zeros(1, 1, 5, 5, 5),
        f"{first}.gate.weight": torch.zeros(5, 200_000),
        "conv_out.expert_conv5x5_conv": torch.zeros(1, 1, 5, 5, 5),
    }
    torch.save(state, tmp_path / "x.pth")
    _refused(tmp_path / "x.pth", cache, "num_tasks is 200000; 1 to 1024 are possible")


def test_what_is_no_tensor(cache: Path, tmp_path: Path) -> None:
    for value in ({"a": 1}, "text", 3, None, torch.zeros(2, 2).to_sparse()):
        torch.save({"weight": torch.zeros(3), "other": value}, tmp_path / "x.pth")
        with pytest.raises(ValueError, match=r"no list of weights: its entry 'other'|asks for"):
            import_checkpoint(tmp_path / "x.pth")
    for content in ([torch.zeros(2)], 7, "text", torch.zeros(3)):
        torch.save(content, tmp_path / "x.pth")
        _refused(tmp_path / "x.pth", cache, "not a dictionary of weights")


def test_a_package_that_was_cut_off(tiny_model: Path, cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.zip"
    run(export_steps(tiny_model, path))
    content = path.read_bytes()
    for share in (0.1, 0.5, 0.95):
        path.write_bytes(content[: int(len(content) * share)])
        _refused(
            path, cache, "m.zip is damaged: it begins as a ZIP archive, but its end is missing"
        )


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_truncated(cache: Path, tmp_path: Path, legacy: bool, share: float) -> None:
    path = tmp_path / "x.p"
    state = {f"weight{k}": torch.ones(1000) for k in range(20)}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    _refused(path, cache, "damaged|no model that is known")


@pytest.mark.parametrize("seed", range(12))
def test_bytes_that_changed_on_the_way(
    repmode_file: Path, cache: Path, tmp_path: Path, seed: int
) -> None:
    """Whatever happens, it is a message, or weights that passed every test."""
    import random

    content = bytearray(repmode_file.read_bytes())
    chance = random.Random(seed)
    for _ in range(40):
        # The beginning holds the list of contents, the end the list of members.
        place = chance.choice([chance.randrange(60_000), -chance.randrange(1, 60_000)])
        content[place] = chance.randrange(256)
    (tmp_path / "x.p").write_bytes(content)
    try:
        import_checkpoint(tmp_path / "x.p")
    except ValueError as error:
        assert len(str(error)) > 30


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><html>", b"PK-less text", b"\x89PNG\r\n", b"\0" * 64]
)
def test_other_files(cache: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    _refused(tmp_path / "x.pth", cache, "no model that is known here: it begins with")


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (struct.pack("<Q", 10 * 2**30) + b"{}", "its head alone is 10737418240 bytes"),
        (struct.pack("<Q", 2**63) + b"{}", "its head alone"),
        (b"\x02", "its head alone|no model"),
        (struct.pack("<Q", 2) + b"[]", "damaged"),
        (
            struct.pack("<Q", 63)
            + b'{"a":{"dtype":"F32","shape":[9999999],"data_offsets":[0,4]}}   ',
            "damaged",
        ),
    ],
)
def test_heads_of_safetensors(cache: Path, tmp_path: Path, head: bytes, words: str) -> None:
    (tmp_path / "x.safetensors").write_bytes(head)
    _refused(tmp_path / "x.safetensors", cache, words)


def _package(path: Path, tiny_model: Path, change: Any) -> Path:
    """Package of a model, with its members changed."""
    run(export_steps(tiny_model, path))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    path.unlink()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in change(parts).items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "name", ["../evil.py", "/etc/evil", "a/../../evil", "weights.py", "C:\\evil", "sub/card.json"]
)
def test_paths_that_lead_out_of_a_package(
    tiny_model: Path, cache: Path, tmp_path: Path, name: str
) -> None:
    path = _package(tmp_path / "m.zip", tiny_model, lambda parts: parts | {name: b"evil"})
    _refused(path, cache, "holds '.*'; a model's archive holds card.json and weights")
    assert not list(tmp_path.rglob("evil*"))


def _card(parts: dict[str, bytes], **change: Any) -> dict[str, bytes]:
    card = json.loads(parts["card.json"]) | change
    return parts | {"card.json": json.dumps(card).encode()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "../../evil"}, r"'\.\./\.\./evil' cannot be the name"),
        ({"name": "nul.txt"}, "cannot be the name"),
        ({"name": "a\nb"}, "cannot be the name"),
        ({"name": "x" * 300}, "cannot be the name"),
        ({"name": 3}, "'name' must be text"),
        ({"network": {"encoder": "tu-hf-hub:a/b"}}, "no name of an encoder"),
        ({"network": {"decoder_channels": [10**9]}}, "decoder_channels is 1000000000"),
        ({"family": "oracle"}, "family 'oracle'"),
        ({"sha256": "0" * 64}, "damaged or were replaced"),
        ({"tasks": [{"a": 1}]}, "'tasks' must be"),
        ({"tasks": ["a\x1b[2Jb"]}, "'tasks' must be"),
        ({"tasks": [str(k) for k in range(5000)]}, "'tasks' must be"),
        ({"axes": "../yx"}, "'axes' must be"),
        ({"window": [64]}, "not one number for each of 'yx'"),
        ({"description": "x" * 10**5}, "'description' must be"),
        ({"members": ["../x"]}, "'members' must be"),
        ({"parameters": -1}, "'parameters' must be"),
        ({"window": [-1, 3]}, "'window' must be"),
        ({"window": [10**9, 10**9]}, "at most 67108864 pixels"),
        ({"zoom": float("inf")}, "'zoom' must be"),
        ({"zoom": 1e12}, "'zoom' must be"),
        ({"object_diameter": float("nan")}, "'object_diameter' must be"),
        ({"voxel_size": [0, 1, 1]}, "'voxel_size' must be"),
        ({"voxel_size": [1e-300, 1, 1]}, "'voxel_size' must be"),
        ({"figures": {"F1": "<b>high</b>"}}, "'figures' must be"),
        ({"task_descriptions": {"cells": ["a"]}}, "'task_descriptions' must be"),
        ({"target_statistics": {"cells": [1]}}, "'target_statistics' must be"),
        ({"family": "cellpose", "network": {"weights": "/etc/passwd"}}, "'family' must be"),
        ({"remote": {"name": "../x", "urls": [], "sha256": "0"}}, "cannot be the name"),
    ],
)
def test_cards_that_lie(
    tiny_model: Path, cache: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = _package(tmp_path / "m.zip", tiny_model, lambda parts: _card(parts, **change))
    _refused(path, cache, words)


def test_a_packed_package(tiny_model: Path, cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.zip"
    run(export_steps(tiny_model, path))
    with zipfile.ZipFile(path) as archive:
        card = archive.read("card.json")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", card)
        archive.writestr("weights.safetensors", bytes(50_000_000))
    _refused(path, cache, "would become 50000000 bytes")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", b" " * 2_000_000)
        archive.writestr(zipfile.ZipInfo("weights.safetensors"), b"x")
    _refused(path, cache, "longer than 1 MB")


@pytest.mark.parametrize("seed", range(40))
def test_bytes_of_a_package_that_changed(
    tiny_structures: Path, cache: Path, tmp_path: Path, seed: int
) -> None:
    import random

    run(export_steps(tiny_structures, tmp_path / "m.zip"))
    content = bytearray((tmp_path / "m.zip").read_bytes())
    chance = random.Random(seed)
    for _ in range(chance.choice([1, 3, 20])):
        place = chance.choice([chance.randrange(3000), -chance.randrange(1, 900)])
        content[place] = chance.randrange(256)
    (tmp_path / "m.zip").write_bytes(content)
    try:
        import_checkpoint(tmp_path / "m.zip")
    except ValueError as error:
        assert len(str(error)) > 30
    assert not [p for p in (cache / "models").glob(".*") if p.is_dir()]


def test_a_pickle_in_the_place_of_safetensors(
    tiny_model: Path, cache: Path, tmp_path: Path, trap: Path
) -> None:
    buffer = io.BytesIO()
    torch.save({"a": Command(f"touch {trap}")}, buffer)
    import hashlib

    digest = hashlib.sha256(buffer.getvalue()).hexdigest()

    def change(parts: dict[str, bytes]) -> dict[str, bytes]:
        return _card(parts, sha256=digest) | {"weights.safetensors": buffer.getvalue()}

    _refused(_package(tmp_path / "m.zip", tiny_model, change), cache, "head alone")


def test_other_tensors_in_a_package(tiny_model: Path, cache: Path, tmp_path: Path) -> None:
    save_file({"a": torch.zeros(3)}, tmp_path / "w.safetensors")
    content = (tmp_path / "w.safetensors").read_bytes()
    import hashlib

    digest = hashlib.sha256(content).hexdigest()

    def change(parts: dict[str, bytes]) -> dict[str, bytes]:
        return _card(parts, sha256=digest) | {"weights.safetensors": content}

    _refused(_package(tmp_path / "m.zip", tiny_model, change), cache, "missing: '.*' and")
