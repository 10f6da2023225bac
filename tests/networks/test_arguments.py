"""What networks may be made of: encoders of a closed list, numbers within limits, no network."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any, NoReturn

import pytest
import torch

from napari_ssp.networks import MediarFormer, RepMode
from napari_ssp.networks.arguments import check_arguments
from napari_ssp.networks.encoders import ENCODERS

HOSTILE = [
    "tu-hf-hub:someone/model",
    "tu-hf_hub:someone/model",
    "hf-hub:someone/model",
    "tu-local-dir:/etc",
    "tu-timm/resnet18.a1_in1k",
    "https://somewhere.example/encoder",
    "tu-../../x",
    "tu-resnet18d.ra4_e3600_r224_in1k",
    "tu-resnet18d\n",
    " mit_b5",
    "MIT_B5",
    "",
    3,
    None,
    ["mit_b5"],
]


@pytest.mark.parametrize("encoder", HOSTILE, ids=repr)
def test_other_encoders_are_refused_before_their_library_is_loaded(encoder: Any) -> None:
    with pytest.raises(ValueError, match="is no name of an encoder that is known here"):
        MediarFormer(encoder, (32, 16, 16, 16), 16)
    with pytest.raises(ValueError, match="is no name of an encoder"):
        check_arguments("mediar", {"encoder": encoder})


def test_a_refusal_loads_neither_timm_nor_torch() -> None:
    code = (
        "import sys; from napari_ssp.registry import ModelCard\n"
        "card = {'name': 'x', 'family': 'mediar', 'network': {'encoder': 'tu-hf-hub:a/b'},"
        " 'sha256': ''}\n"
        "try: ModelCard.from_content(card)\n"
        "except ValueError as error: print(error)\n"
        "print({'timm', 'torch', 'huggingface_hub'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    said, loaded = done.stdout.strip().splitlines()
    assert "'tu-hf-hub:a/b' is no name of an encoder" in said
    assert loaded == "set()"


def test_every_encoder_is_one_that_the_libraries_hold_themselves() -> None:
    import timm
    from segmentation_models_pytorch.encoders import encoders

    missing = [
        name
        for name in ENCODERS
        if not (timm.is_model(name[3:]) if name.startswith("tu-") else name in encoders)
    ]
    assert missing == []
    assert {"mit_b0", "mit_b5", "resnet34", "tu-resnet18d", "tu-convnext_tiny"} <= ENCODERS


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No socket can be opened and no name be looked up."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the network was asked")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.mark.parametrize(
    "encoder",
    ["mit_b0", "resnet18", "tu-resnet18d", "tu-tf_efficientnet_lite0", "tu-convnext_atto"],
)
def test_networks_are_built_offline(encoder: str, offline: None) -> None:
    network = MediarFormer(encoder, (16, 16, 16, 16), 16).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"decoder_channels": [10**9] * 4}, "decoder_channels is 1000000000; 1 to 2048"),
        ({"decoder_channels": [16] * 40}, "decoder has 40 blocks; 3 to 5"),
        ({"decoder_channels": 16}, "decoder_channels are 16; give a list"),
        ({"decoder_channels": [16, 16, 16, 1]}, "at least 2"),
        ({"decoder_channels": [16.0] * 4}, "decoder_channels is 16.0"),
        ({"decoder_channels": [True] * 4}, "decoder_channels is True"),
        ({"pab_channels": 0}, "pab_channels is 0"),
        ({"in_channels": 10**6}, "in_channels is 1000000"),
        ({"depth": 3}, "unexpected keyword argument 'depth'"),
    ],
)
def test_numbers_of_a_mediar_have_limits(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_arguments("mediar", arguments)
    with pytest.raises((ValueError, TypeError), match=words):
        MediarFormer(**arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_tasks": 10**9}, "num_tasks is 1000000000; 1 to 1024"),
        ({"base_channels": 4096}, "base_channels is 4096; 1 to 128"),
        ({"base_channels": "32"}, "base_channels is 32"),
        ({"in_channels": -1}, "in_channels is -1"),
        ({"out_channels": 10**6}, "out_channels is 1000000"),
        ({"own_experts": [12]}, r"own_experts \[12\] are not 12 tasks"),
        ({"own_experts": [0, 0]}, "are not 12 tasks"),
        ({"own_experts": list(range(12)), "base_channels": 64}, "12 own_experts would each take"),
        ({"own_experts": "all"}, "own_experts are all"),
    ],
)
def test_numbers_of_a_repmode_have_limits(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_arguments("repmode", arguments)
    with pytest.raises(ValueError, match=words):
        RepMode(**arguments)
