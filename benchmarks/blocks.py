"""An OME-Zarr to an OME-Zarr by blocks: memory as stated, and the labels of one process.

    python benchmarks/blocks.py                                 # 20,000 x 20,000 pixels
    python benchmarks/blocks.py --image nuclei/*.png --magnify 4 --model mediar-starter \
        --zoom 0.25 --window 512 --check                        # of real nuclei

The plane is made of mirrored copies of images, scikit-image's coins unless others are named, each
stretched to the same grey values and magnified as a stronger lens would. ``--zoom`` and
``--window`` go onto a copy of the model's card: the network is to see objects as large as it
knows them, and must not take all the time. Without ``--model`` it is cheap, and built from
nothing: its objects mean nothing.

``--check`` compares the labels with those that one process returns. Memory is what the operating
system counts for the largest worker, looked at from outside five times a second, with and without
pages of mapped files. ``benchmarks/block_faults.py`` has what is killed and damaged.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from large_image import mirrored

from napari_ssp import ModelService, SegmentRequest
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image
from napari_ssp.metrics import average_precision
from napari_ssp.registry import find_card
from napari_ssp.registry.card import CARD_FILE
from napari_ssp.service import plan_segmentation
from napari_ssp.service.blocks.estimate import find_needs
from napari_ssp.service.blocks.grid import make_grids
from napari_ssp.service.blocks.running import Goal, segment_by_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def main() -> None:
    """Print one line of figures per run."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        plane = make_plane(options.image, options.magnify, options.side, folder)
        if options.model:
            choices = _adapt(options, folder)
        else:
            choices = make_model(folder, options.window)
        choices |= {"tile": options.tile, "device": options.device}
        request = SegmentRequest(plane, overlap=0.25, precision="float32", **choices)
        plan = plan_segmentation(request)
        needs = find_needs(request, plan, make_grids(plan))
        print(f"{options.side} x {options.side}: {needs.sentence}", flush=True)
        target = folder / "labels.zarr"
        _report(_segment(request, target, options.workers))
        found = read_image(target).data
        # As many threads as each worker has: sums depend on it.
        _limit_threads(options.workers)
        if options.check:
            _report(_compare(request, found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=20_000, help="pixels along y and x")
    parser.add_argument("--tile", type=int, default=2048, help="side of the blocks")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--image", type=Path, nargs="*", default=[], help="images of one size to fill the plane"
    )
    parser.add_argument("--magnify", type=int, default=1, help="so many times along y and x")
    parser.add_argument("--model", help="name or folder of a model")
    parser.add_argument("--zoom", type=float, default=1.0, help="of the plane for the model")
    parser.add_argument("--window", type=int, default=512, help="side of the model's windows")
    parser.add_argument("--folder", type=Path, help="where the plane and the labels lie meanwhile")
    parser.add_argument("--check", action="store_true", help="compare with one process")
    return parser.parse_args()


def make_plane(sources: Sequence[Path], magnify: int, side: int, folder: Path) -> Path:
    """Fill an OME-Zarr with images side by side, and rows of them."""
    import dask.array as da
    from scipy.ndimage import zoom

    row = np.concatenate([_stretched(mirrored(path)) for path in sources or [None]], axis=1)
    row = zoom(row, magnify, order=1, mode="grid-wrap", grid_mode=True)
    times = [-(-side // n) for n in row.shape]
    pixels = da.tile(da.from_array(row), times)[:side, :side]
    return write_image(folder / "plane.ome.zarr", MicroscopyImage(pixels, "yx", (1.0, 0.5, 0.5)))


def _stretched(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Give the brightest pixels of each image the same value."""
    return np.clip(image * (255 / np.percentile(image, 99.9)), 0, 255).astype(np.uint8)


def _adapt(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Copy a model with another zoom and window on its card."""
    card = find_card(options.model)
    adapted = shutil.copytree(card.weights.parent, folder / "model")
    facts = json.loads((adapted / CARD_FILE).read_text())
    window = [options.window] * 2
    facts |= {"zoom": options.zoom, "window": window, "largest_window": None}
    (adapted / CARD_FILE).write_text(json.dumps(facts))
    return {"model": str(adapted)}


def make_model(folder: Path, window: int) -> dict[str, Any]:
    """Choices of a small network that finds objects, others in each image."""
    import torch

    from napari_ssp.registry import ModelCard, save_model
    from napari_ssp.registry.weights import build_network

    torch.manual_seed(0)
    arguments = {"encoder": "tu-resnet18d", "decoder_channels": [16] * 4, "pab_channels": 16}
    card = ModelCard("cheap", "mediar", arguments, "", window=(window, window))
    network: Any = build_network(card)
    weights = dict(network.named_parameters())
    with torch.no_grad():
        weights["gradflow_head.3.weight"] *= 50
        weights["cellprob_head.3.weight"] *= 200
        weights["cellprob_head.3.bias"] += 2.5
    saved = save_model(network, card, folder / "model").weights.parent
    return {"model": str(saved), "cell_threshold": 0.3, "flow_threshold": 1.0}


def _limit_threads(workers: int) -> None:
    import torch

    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // workers))


def _report(figures: dict[str, Any]) -> None:
    print(", ".join(f"{name}: {value}" for name, value in figures.items()), flush=True)


def _segment(request: SegmentRequest, target: Path, workers: int) -> dict[str, Any]:
    began, stages = time.monotonic(), {}
    with ModelService(f"processes:{workers}") as service:
        watch = Watch(find_workers)
        result = _follow(segment_by_blocks(service, request, Goal(target)), stages)
        spent = sum(sum(worker.cpu_times()[:2]) for worker in find_workers())
        watch.stop()
    return {
        "objects": result.count,
        "seconds": round(time.monotonic() - began),
        "processor seconds of workers": round(spent),
        "by stage": {stage: round(seconds) for stage, seconds in stages.items()},
        **watch.figures,
    }


def _follow(steps: Any, stages: dict[str, float]) -> Any:
    """Give the result of steps, and note the seconds of each stage."""
    stage, since = "start", time.monotonic()
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return stop.value
        now = time.monotonic()
        stages[stage] = stages.get(stage, 0.0) + now - since
        if step.stage != stage:
            print(step.stage, step.done, "of", step.total, file=sys.stderr, flush=True)
        stage, since = step.stage, now


class Watch:
    """A thread that looks how large processes are."""

    def __init__(self, find: Any) -> None:
        self._find = find
        self._private = self._resident = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    @property
    def figures(self) -> dict[str, float]:
        """Peaks in GiB."""
        return {
            "peak of the largest process, GiB": round(self._private / 2**30, 2),
            "with mapped files": round(self._resident / 2**30, 2),
        }

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            for process in self._find():
                try:
                    info = process.memory_info()
                except psutil.Error:  # it has just ended
                    continue
                self._resident = max(self._resident, info.rss)
                self._private = max(self._private, info.rss - getattr(info, "shared", 0))


def find_workers() -> list[psutil.Process]:
    """Worker processes of this process's own server."""
    found: list[psutil.Process] = []
    try:
        for server in psutil.Process().children():
            if "own_process" in " ".join(server.cmdline()):
                found += [p for p in server.children() if "spawn_main" in " ".join(p.cmdline())]
    except psutil.Error:
        return []
    return found


def _compare(request: SegmentRequest, found: Any) -> dict[str, Any]:
    """Compare with the labels that this process returns, in bands."""
    began, spent, watch = time.monotonic(), time.process_time(), Watch(lambda: [psutil.Process()])
    with ModelService() as service:
        expected = service.submit(request).result().labels
    watch.stop()
    seconds = {
        "one process, seconds": round(time.monotonic() - began),
        "processor seconds": round(time.process_time() - spent),
    }
    same, ids = True, np.zeros(0, int)
    for top in range(0, len(found), 1024):
        band = np.asarray(found[top : top + 1024])
        same &= bool((band == expected[top : top + 1024]).all())
        ids = np.union1d(ids, band)
    # Of equal labels it is 1, and both in memory take many bytes for each pixel.
    precision = 1.0 if same else _precision(np.asarray(expected), np.asarray(found))
    return {
        **seconds,
        **watch.figures,
        "the same labels": same,
        "AP at IoU 0.9": precision,
        "ids consecutive": bool((ids == np.arange(len(ids))).all()),
    }


def _precision(expected: NDArray[Any], found: NDArray[Any]) -> float:
    return round(float(average_precision(expected, found, (0.9,))[0]), 5)


if __name__ == "__main__":
    main()
