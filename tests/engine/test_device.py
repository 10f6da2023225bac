"""Devices by name, and a torch that is safe to load after a viewer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_ssp.engine import (
    available_devices,
    compute_dtype,
    compute_training_dtype,
    has_bfloat16,
    prepare_torch,
    release_memory,
    resolve_device,
)


def fresh(code: str) -> str:
    """Run code in a new interpreter and return what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_cpu_is_always_there() -> None:
    assert resolve_device("cpu") == resolve_device(torch.device("cpu")) == torch.device("cpu")
    last = available_devices()[-1]
    assert last.name == "cpu"
    assert last.memory is None or last.memory > 2**20


def test_auto_takes_the_first() -> None:
    assert str(resolve_device()) == str(resolve_device("AUTO ")) == available_devices()[0].name


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "cpu:3", "", "metal"])
def test_absent_devices_list_the_present_ones(name: str) -> None:
    with pytest.raises(ValueError, match=rf"'{name}' is not available.*'auto' or one of: .*cpu"):
        resolve_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_gpu_is_an_error() -> None:
    with pytest.raises(ValueError, match="'cuda' is not available"):
        resolve_device("cuda")


def test_release_memory_touches_no_card_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append("cuda"))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.append("mps"))
    release_memory("cpu")
    assert emptied == []
    release_memory("cuda")
    assert emptied == ["cuda"]


def test_prepare_torch_changes_no_flags_and_can_be_repeated() -> None:
    if not hasattr(sys, "getdlopenflags"):
        pytest.skip("dlopen flags exist on Unix only")
    flags = sys.getdlopenflags()
    prepare_torch()
    prepare_torch()
    assert sys.getdlopenflags() == flags


def test_prepare_torch_loads_neither_torch_nor_triton() -> None:
    code = (
        "import sys; from napari_ssp.engine import prepare_torch; prepare_torch(); "
        "print([m for m in ('torch', 'triton') if m in sys.modules])"
    )
    assert fresh(code) == "[]"


def test_grey_levels_and_geometry_do_not_load_torch() -> None:
    code = (
        "import sys; from napari_ssp.engine import gaussian_window, normalise, tile_starts; "
        "import napari_ssp.metrics; print('torch' in sys.modules)"
    )
    assert fresh(code) == "False"


def test_every_public_name_is_there() -> None:
    from napari_ssp import engine

    for name in engine.__all__:
        assert callable(getattr(engine, name)) or name.endswith("_VIEWS")
    with pytest.raises(AttributeError, match="nothing"):
        _ = engine.nothing


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_chosen_precision_is_kept(name: str) -> None:
    assert compute_dtype(name, torch.device("cpu")) == getattr(torch, name)


def test_automatic_precision_is_exact_on_a_processor() -> None:
    assert compute_dtype("auto", torch.device("cpu")) == torch.float32


@pytest.mark.skipif(
    not Path("/proc/cpuinfo").exists(), reason="only Linux lists in a file what its CPU has"
)
def test_training_takes_bfloat16_where_the_processor_has_instructions_for_it() -> None:
    """oneDNN also says yes where it emulates them, two to eight times as slow as float32."""
    has = {"avx512_bf16", "amx_bf16", "bf16"} & set(Path("/proc/cpuinfo").read_text().split())
    cpu = torch.device("cpu")
    assert has_bfloat16(cpu) == bool(has)
    assert compute_training_dtype("auto", cpu) == (torch.bfloat16 if has else torch.float32)


def test_training_on_a_processor_without_such_instructions_is_in_float32(
    old_processor: None,
) -> None:
    cpu = torch.device("cpu")
    assert not has_bfloat16(cpu)
    assert compute_training_dtype("auto", cpu) == torch.float32
    assert compute_training_dtype("bfloat16", cpu) == torch.bfloat16, "as it was asked for"
    assert compute_training_dtype("bfloat16", cpu, volumes=True) == torch.float32
