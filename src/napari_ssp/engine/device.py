"""Devices: which one computes, how much memory it has, and how torch is loaded safely."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DeviceInfo:
    """A device that torch can use on this machine.

    Attributes
    ----------
    name : str
        What :func:`resolve_device` takes: "cpu", "cuda:0", "mps".
    description : str
        What the maker calls it.
    memory : int or None
        Bytes in all; None when unknown.
    """

    name: str
    description: str
    memory: int | None


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """Turn a name into a device that exists here.

    Parameters
    ----------
    name : str or torch.device
        "auto" (CUDA, then Apple's MPS, then the CPU), "cpu", "cuda", "cuda:1", "mps".

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If the device is unknown or absent; the message lists those that are there.
    """
    prepare_torch()
    import torch

    names = _device_names()
    wanted = str(name).strip().lower()
    if wanted == "auto":
        return torch.device(names[0])
    if wanted not in names and f"{wanted}:0" not in names:
        raise ValueError(
            f"The device {str(name)!r} is not available on this machine. "
            f"Choose 'auto' or one of: {', '.join(names)}."
        )
    return torch.device(wanted)


def available_devices() -> list[DeviceInfo]:
    """List the devices of this machine, the fastest first.

    Returns
    -------
    list of DeviceInfo
    """
    prepare_torch()
    return [_describe(name) for name in _device_names()]


def compute_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Choose the number format that a network computes in.

    Parameters
    ----------
    precision : str
        "float32", "bfloat16", or "auto": bfloat16 on a GPU that has instructions for it.
        A CPU computes in float32 then, so that a result does not depend on which one it is.
    device : torch.device
        Where the network computes.

    Returns
    -------
    torch.dtype
    """
    import torch

    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    return torch.bfloat16 if device.type == "cuda" and has_bfloat16(device) else torch.float32


def compute_training_dtype(
    precision: str, device: torch.device, volumes: bool = False
) -> torch.dtype:
    """Choose the number format in which a network under training computes.

    Parameters
    ----------
    precision : str
        "float32", "bfloat16", or "auto": bfloat16 where the device has instructions for it.
    device : torch.device
        Where the network computes.
    volumes : bool
        Whether it sees volumes. On a CPU they are computed in float32: oneDNN's bfloat16 gradients
        of the kernels of 3D convolutions are NaN now and then (seen with torch 2.15).

    Returns
    -------
    torch.dtype
    """
    import torch

    possible = device.type == "cuda" or (device.type == "cpu" and not volumes)
    wanted = precision == "bfloat16" or (precision == "auto" and has_bfloat16(device))
    return torch.bfloat16 if possible and wanted else torch.float32


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16.

    Any CPU and any card computes in it, but where it is emulated it takes two to eight times as
    long as float32.
    """
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and _cpu_has_bfloat16()


@cache
def _cpu_has_bfloat16() -> bool:
    """Ask the CPU, since oneDNN also says yes where it emulates bfloat16 with AVX-512."""
    import torch

    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if platform.machine().lower() in ("x86_64", "amd64"):
        # Instructions of 256 bits (AVX-NE-CONVERT) only convert, and gain nothing.
        names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, name, bool)() for name in names)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def release_memory(device: torch.device | str) -> None:
    """Give cached memory of a device back to other programs; nothing to do on the CPU."""
    import torch

    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.empty_cache()
    elif kind == "mps":
        torch.mps.empty_cache()


def prepare_torch() -> None:
    """Load triton's library apart from the viewer's, before anything imports triton.

    After a viewer has drawn with Mesa, an ordinary import of triton mixes up two copies of LLVM and
    ends the process. Does nothing off Linux, without triton, or when triton is loaded already.
    """
    if not sys.platform.startswith("linux") or "triton" in sys.modules:
        return
    library = _triton_library()
    if library is not None:
        # The loader keeps it, so the later import of triton finds its own symbols.
        ctypes.CDLL(str(library), mode=os.RTLD_NOW | getattr(os, "RTLD_DEEPBIND", 0))


def _triton_library() -> Path | None:
    spec = find_spec("triton")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return next(
        (file for folder in folders for file in Path(folder, "_C").glob("libtriton*")), None
    )


def _device_names() -> list[str]:
    import torch

    # The count alone also names cards whose driver is too old to use them.
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [f"cuda:{index}" for index in range(count)]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def _describe(name: str) -> DeviceInfo:
    import torch

    if name.startswith("cuda"):
        properties = torch.cuda.get_device_properties(name)
        return DeviceInfo(name, properties.name, properties.total_memory)
    if name == "mps":
        return DeviceInfo(name, "Apple GPU", torch.mps.recommended_max_memory())
    return DeviceInfo(name, f"{os.cpu_count()} cores", _main_memory())


def _main_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None
