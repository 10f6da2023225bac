"""Peak memory of structure prediction by the size of the stack, each size in a process of its own.

    python benchmarks/structures.py --memory

The stack is a TIFF file that was written before, by another process. A process predicts a small
stack first, so that what is loaded and compiled once is not counted; then its peaks are counted
anew (Linux). Its own memory is what it took itself (RssAnon, looked at forty times a second); its
resident memory (VmHWM) also has the pages of files that are mapped while they are used, which the
system takes back when it needs them. Results go to the formats that the command line writes. The
patches come back as they are: what a network needs depends on the patch, not on the stack.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES = ((32, 512, 512), (64, 1024, 1024), (64, 2048, 2048))
PATCH = (32, 128, 128)
OVERLAP = 0.125
TASKS = ("a", "b")


def measure(shapes: tuple[tuple[int, ...], ...] = SHAPES) -> dict[str, Any]:
    """Peaks in MiB by the shape of the stack."""
    report = {}
    for shape in shapes:
        with tempfile.TemporaryDirectory() as folder:
            _prepare(Path(folder), shape)
            words = [sys.executable, __file__, folder]
            found = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
            report[" × ".join(map(str, shape))] = json.loads(found.stdout)
    return {"peak memory in MiB, two structures": report}


def _prepare(folder: Path, shape: tuple[int, ...]) -> None:
    import tifffile

    from napari_ssp.networks import RepMode
    from napari_ssp.registry import ModelCard, save_model

    network = {"num_tasks": len(TASKS), "base_channels": 1}
    card = ModelCard("peak", "repmode", network, "", axes="zyx", window=PATCH, tasks=TASKS)
    save_model(RepMode(len(TASKS), 1), card, folder / "model")
    # Coarse, so that compressing the results does not take longer than making them.
    tile = np.random.default_rng(0).integers(0, 60_000, (32, 32)).astype(np.uint16)
    plane = np.tile(tile.repeat(8, 0).repeat(8, 1), (-(-shape[1] // 256), -(-shape[2] // 256)))
    planes = (np.roll(plane, z)[: shape[1], : shape[2]] for z in range(shape[0]))
    tifffile.imwrite(
        folder / "stack.tif", planes, shape=shape, dtype=np.uint16, metadata={"axes": "ZYX"}
    )


def _child(folder: Path) -> dict[str, Any]:
    import torch

    from napari_ssp.cli.predict import as_image
    from napari_ssp.io import write_image
    from napari_ssp.progress import run
    from napari_ssp.service import PredictRequest
    from napari_ssp.service.model_cache import ModelCache
    from napari_ssp.service.structures.steps import predict_steps

    class NoNetworks(ModelCache):
        def merged(self, *_: Any) -> torch.nn.Module:
            return torch.nn.Identity()

    models, model = NoNetworks(), str(folder / "model")
    small = np.random.default_rng(0).random((40, 150, 150))
    warm = run(predict_steps(PredictRequest(small, TASKS, model, axes="zyx"), models))
    for ending in ("tif", "zarr"):
        write_image(folder / f"warm.ome.{ending}", as_image(warm, "warm"))
    del warm
    report: dict[str, Any] = {}
    with _peaks(report, "predict"):
        request = PredictRequest(folder / "stack.tif", TASKS, model, overlap=OVERLAP)
        result = run(predict_steps(request, models))
    for ending in ("tif", "zarr"):
        with _peaks(report, f"write OME-{ending.upper()}"):
            write_image(folder / f"out.ome.{ending}", as_image(result, "out"))
    return report


@contextmanager
def _peaks(report: dict[str, Any], name: str) -> Iterator[None]:
    """Note what the process had before, and at most, of its own and resident."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM begins anew
    before, began = _status(), time.perf_counter()
    own, done = [before["RssAnon"]], threading.Event()

    def look() -> None:
        while not done.wait(0.025):
            own.append(_status()["RssAnon"])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    report[name] = {
        "own, before and peak": [round(before["RssAnon"]), round(max(own))],
        "resident, before and peak": [round(before["VmRSS"]), round(_status()["VmHWM"])],
        "seconds": round(time.perf_counter() - began, 1),
    }


def _status() -> dict[str, float]:
    """Memory of this process in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    pairs = (line.split()[:2] for line in lines if line.endswith("kB"))
    return {name.rstrip(":"): int(number) / 1024 for name, number in pairs}


if __name__ == "__main__":
    print(json.dumps(_child(Path(sys.argv[1]))))
