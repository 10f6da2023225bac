"""Structure prediction against the plain way to run RepMode: same weights, same volume, one run.

    python benchmarks/structures.py                     # the published size, on the CPU
    python benchmarks/structures.py --device cuda
    python benchmarks/structures.py --memory            # peak memory of small and large stacks
    python benchmarks/structures.py --switch            # another structure on a shown preview
    python benchmarks/structures.py --overlaps MODEL    # what less overlap saves and costs

There are two peers, both with kernels mixed anew on every forward pass, float32, one patch at a
time, through the same tiles and blending: "as published" pads each expert to the full kernel,
weighs all five and adds them up, as the paper's formula reads; "unmerged" is our own network, which
does the same sum with one pass over the large kernel. The bars hold against either. On a processor
in float32 the service uses Winograd convolutions, with less to multiply; "merged float32, direct"
does not. The floors are the floating-point operations of the convolutions, direct and as few as
ours, over the rate that one large convolution reaches on this machine. What is compared takes
turns, so that a busy machine slows all alike; medians are given.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from napari_ssp.networks import RepMode
    from napari_ssp.networks.repmode import MoDEConv
    from napari_ssp.registry import ModelCard

PATCH = (32, 128, 128)
BARS = {"float32": 1.4, "bfloat16": 2.5, "cuda": 3.0, "patch": 1.1, "error": 0.015}


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--base-channels", type=int, default=32)
    parser.add_argument("--shape", type=int, nargs=3, default=(32, 192, 192))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--switch", action="store_true")
    parser.add_argument("--overlaps", metavar="MODEL")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.memory:
        from structure_memory import measure

        report = measure()
    elif options.overlaps:
        report = _overlaps(options.overlaps)
    else:
        report = _switch(options) if options.switch else _speed(options)
    print(json.dumps(report, indent=2))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _speed(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from napari_ssp.engine.acceleration.winograd import use_winograd
    from napari_ssp.networks import RepMode

    device = torch.device(options.device)
    torch.manual_seed(0)
    network = RepMode(12, options.base_channels).eval()
    rng = np.random.default_rng(0)
    volume = rng.normal(size=tuple(options.shape)).astype(np.float32)
    runs: dict[str, Callable[[], Any]] = {}
    outputs: dict[str, np.ndarray[Any, Any]] = {}
    experts = RepMode(12, options.base_channels).eval()
    experts.load_state_dict(network.state_dict())
    experts.to(device)
    published = _as_published(experts)
    task = torch.tensor([3], device=device)
    runs["as published"] = _whole(lambda x: published(x, task.expand(len(x))), volume, device)
    runs["unmerged float32"] = _whole(lambda x: experts(x, task.expand(len(x))), volume, device)
    for name in ("float32", "bfloat16"):
        merged = network.merge(3).to(device, getattr(torch, name))
        merged = merged.to(memory_format=torch.channels_last_3d)
        is_winograd = (device.type, name) == ("cpu", "float32")
        label = f"merged {name}" + (", direct" if is_winograd else "")
        runs[label] = _whole(_typed(merged, getattr(torch, name)), volume, device)
    winograd = network.merge(3)
    if device.type == "cpu":
        use_winograd(winograd, winograd.depths(PATCH[0]))
        runs["merged float32"] = _whole(_typed(winograd, torch.float32), volume, device)
    patch = torch.randn(1, 1, *PATCH, device=device)
    plain = network.merge(3).to(device)
    runs["plain network, one patch"] = lambda: _synchronised(plain, patch, device)
    times = _take_turns(runs, options.repeats, outputs)
    operations = [_operations(each, patch) for each in (plain, winograd)]
    return _report(times, outputs, operations, patch.device, options)


def _as_published(network: RepMode) -> RepMode:
    """Return the network with kernels mixed as the paper's formula reads."""
    from napari_ssp.networks.repmode import MoDEConv

    peer = copy.deepcopy(network)
    for layer in peer.modules():
        if isinstance(layer, MoDEConv):
            layer.kernel = partial(_published_kernel, layer)  # type: ignore[method-assign]
    return peer


def _published_kernel(layer: MoDEConv, task: int) -> torch.Tensor:
    from torch.nn.functional import pad

    averages = [
        layer.expert_avg3x3_conv * layer.expert_avg3x3_pool,
        layer.expert_avg5x5_conv * layer.expert_avg5x5_pool,
    ]
    kernels = [layer.expert_conv5x5_conv, layer.expert_conv3x3_conv, layer.expert_conv1x1_conv]
    full = [pad(kernel, [(5 - kernel.shape[-1]) // 2] * 6) for kernel in [*kernels, *averages]]
    gates = layer.gates(task)[:, :, None, None, None, None]
    return sum(gate * kernel for gate, kernel in zip(gates, full, strict=True))  # type: ignore


def _whole(network: Any, volume: np.ndarray[Any, Any], device: torch.device) -> Callable[[], Any]:
    from napari_ssp.engine import TileSettings, predict_tiles
    from napari_ssp.progress import run

    settings = TileSettings(PATCH, 0.5, 1, device)
    return lambda: run(predict_tiles(network, volume[None], settings))


def _typed(network: Any, dtype: torch.dtype) -> Any:
    import torch

    def compute(x: torch.Tensor) -> torch.Tensor:
        return network(x.to(dtype, memory_format=torch.channels_last_3d))

    return compute


def _synchronised(network: Any, x: torch.Tensor, device: torch.device) -> None:
    import torch

    with torch.inference_mode():
        network(x)
    if device.type == "cuda":
        torch.cuda.synchronize()


def _take_turns(
    runs: dict[str, Callable[[], Any]], repeats: int, outputs: dict[str, Any]
) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):  # the first turn warms up
        for name, call in runs.items():
            began = time.perf_counter()
            outputs[name] = call()
            if turn:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def _report(
    times: dict[str, float],
    outputs: dict[str, Any],
    operations: list[float],
    device: torch.device,
    options: argparse.Namespace,
) -> dict[str, Any]:
    from napari_ssp.engine import count_tiles

    patches = count_tiles(tuple(options.shape), PATCH, 0.5)
    exact = outputs["as published"]
    reduced = outputs["merged bfloat16"] - exact
    rate = _convolution_rate(device)
    slow, ours = times["as published"], times["unmerged float32"]
    return {
        "device": str(options.device),
        "load": [round(x, 2) for x in os.getloadavg()],
        "shape": list(options.shape),
        "patches": patches,
        "seconds": {name: round(value, 4) for name, value in times.items()},
        "seconds per patch": {
            name: round(value / patches, 4) for name, value in times.items() if "one" not in name
        },
        "floors: seconds per patch, direct and as few as ours": [
            round(count / rate, 4) for count in operations
        ],
        "floors: GFLOP per patch": [round(count / 1e9) for count in operations],
        "GFLOP/s of one convolution": round(rate / 1e9),
        "merged float32 per patch / plain network": round(
            times["merged float32"] / patches / times["plain network, one patch"], 3
        ),
        "faster in float32": round(slow / times["merged float32"], 2),
        "faster in bfloat16": round(slow / times["merged bfloat16"], 2),
        "faster than our unmerged network": [
            round(ours / times[f"merged {name}"], 2) for name in ("float32", "bfloat16")
        ],
        "relative RMS error in float32": _relative(outputs["merged float32"] - exact, exact),
        "relative RMS error in bfloat16": _relative(reduced, exact),
        "bars": BARS,
    }


def _relative(difference: np.ndarray[Any, Any], exact: np.ndarray[Any, Any]) -> float:
    return float(f"{np.sqrt(np.mean(difference**2)) / exact.std():.2e}")


def _operations(network: Any, patch: torch.Tensor) -> float:
    """Floating-point operations of all convolutions for one patch."""
    import torch
    from torch import nn

    from napari_ssp.engine.acceleration.winograd import WinogradConv3d

    counted, kinds = 0.0, (nn.Conv3d, nn.ConvTranspose3d, WinogradConv3d)

    def count(layer: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        nonlocal counted
        if isinstance(layer, WinogradConv3d):
            counted += 2.0 * len(output) * layer.multiplications(tuple(output.shape[2:]))
            return
        assert isinstance(layer, nn.Conv3d | nn.ConvTranspose3d)
        places = output.numel() / output.shape[1]
        if isinstance(layer, nn.ConvTranspose3d):
            places = inputs[0].numel() / inputs[0].shape[1]
        counted += 2.0 * places * layer.weight.numel()

    layers = [m for m in network.modules() if isinstance(m, kinds)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.inference_mode():
        network(patch)
    for hook in hooks:
        hook.remove()
    return counted


def _convolution_rate(device: torch.device) -> float:
    """Floating-point operations per second of one large float32 convolution."""
    import torch
    from torch import nn

    layer = nn.Conv3d(64, 64, 5, padding=2, bias=False).to(device)
    layer = layer.to(memory_format=torch.channels_last_3d)
    x = torch.randn(1, 64, 16, 64, 64, device=device)
    x = x.contiguous(memory_format=torch.channels_last_3d)
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        _synchronised(layer, x, device)
        seconds.append(time.perf_counter() - began)
    return 2.0 * x[0, 0].numel() * layer.weight.numel() / min(seconds)


def _switch(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of predicting a preview, the first time for a structure and once more; medians."""
    from napari_ssp import ModelService
    from napari_ssp.networks import RepMode
    from napari_ssp.registry import ModelCard, find_card, save_model
    from napari_ssp.service import PredictRequest

    names = tuple(f"structure {k}" for k in range(12))
    size = {"num_tasks": 12, "base_channels": options.base_channels}
    stack = np.random.default_rng(0).normal(size=(32, 256, 256)).astype(np.float32)
    switched, again = [], []
    with tempfile.TemporaryDirectory() as folder, ModelService() as service:
        card = ModelCard("switch", "repmode", size, "", axes="zyx", window=PATCH, tasks=names)
        save_model(RepMode(12, options.base_channels), card, Path(folder))

        def seconds(name: str) -> float:
            request = PredictRequest(stack, (name,), folder, axes="zyx", overlap=0.0)
            began = time.perf_counter()
            service.submit(request).result()
            return round(time.perf_counter() - began, 3)

        first = seconds(names[0])
        for name in names[1 : 2 + 2 * options.repeats]:
            switched.append(seconds(name))
            again.append(seconds(name))
        back = seconds(names[1])
        made = _seconds_of_making(find_card(folder), range(1 + 2 * options.repeats))
    return {
        "load": [round(x, 2) for x in os.getloadavg()],
        "first": first,
        "switched": switched,
        "once more": again,
        "switched back": back,
        "cost of a switch, by their medians": round(
            statistics.median(switched) - statistics.median(again), 3
        ),
        "making the network": made,
    }


def _seconds_of_making(card: ModelCard, tasks: Sequence[int]) -> list[float]:
    """Seconds of making the networks of structures on a thread, as the service does."""
    import torch

    from napari_ssp.service.model_cache import ModelCache

    cache, device = ModelCache(), torch.device("cpu")
    cache.get(card, device)

    def seconds(task: int) -> float:
        began = time.perf_counter()
        cache.merged(card, task, device, torch.float32, PATCH[0])
        return round(time.perf_counter() - began, 3)

    with ThreadPoolExecutor(1) as thread:
        return list(thread.map(seconds, tasks))


def _overlaps(model: str) -> dict[str, Any]:
    """Time and accuracy on the held-out quadrant of neurons, by the overlap of the patches."""
    import tifffile

    import napari_ssp as ssp
    from napari_ssp.metrics import structure_metrics

    folder = Path(__file__).resolve().parents[2] / "shared/data/transmitted_light/stack_to_2d"
    stack = tifffile.imread(folder / "neurons_phase_q10_signal.tif")
    names = {"dapi": "DAPI", "map2": "MAP2", "nfh": "NFH"}
    truth = {
        task: tifffile.imread(folder / f"neurons_phase_q10_target_{name}.tif").astype(np.float32)
        for task, name in names.items()
    }
    report, exact = {}, None
    for overlap in (0.5, 0.5, 0.25, 0.125, 0.0):  # the first warms up
        began = time.perf_counter()
        found = ssp.predict_structures(stack, list(names), model, axes="zyx", overlap=overlap)
        took = time.perf_counter() - began
        exact = exact or found
        report[f"overlap {overlap}"] = {
            "seconds": round(took, 2),
            "PCC": {
                t: round(structure_metrics(truth[t], found[t].max(0))["pcc"], 4) for t in names
            },
            "difference from overlap 0.5": {
                task: _relative(found[task] - exact[task], exact[task]) for task in names
            },
        }
    return report


if __name__ == "__main__":
    main()
