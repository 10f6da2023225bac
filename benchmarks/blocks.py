"""An OME-Zarr to an OME-Zarr by blocks: the labels of one process, memory as stated, and faults.

    python benchmarks/blocks.py                            # 20,000 x 20,000 pixels, 4 workers
    python benchmarks/blocks.py --side 4096 --tile 1024 --check --kill 10 --end 2

The plane is made of mirrored copies of a real image, scikit-image's coins unless another is named.
The network is cheap: one that is built from nothing by default, so that its objects mean nothing,
or the one that ``--model`` names. ``--kill`` ends workers with ``kill -9`` at random moments, and
``--end`` the scheduler with all workers; each run that fails goes on as ``--resume`` does.
``--check`` compares the labels with those that one process returns. Peak memory is what the
operating system counted for the largest worker, without pages of mapped files.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from large_image import mirrored

from napari_ssp import ModelService, SegmentRequest
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image
from napari_ssp.service import plan_segmentation
from napari_ssp.service.blocks.estimate import find_needs
from napari_ssp.service.blocks.grid import make_grids
from napari_ssp.service.blocks.running import Goal, segment_by_blocks


def main() -> None:
    """Print one line of figures per run."""
    options = _options()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        plane = _make_plane(options.image, options.side, folder)
        model = options.model or str(_make_model(folder))
        choices = {"tile": options.tile, "overlap": 0.25, "device": options.device}
        if options.model is None:
            choices |= {"cell_threshold": 0.3, "flow_threshold": 1.0}
        request = SegmentRequest(plane, model, precision="float32", **choices)
        plan = plan_segmentation(request)
        needs = find_needs(request, plan, make_grids(plan))
        print(f"{options.side} x {options.side}: {needs.sentence}", flush=True)
        found = _segment(request, folder / "labels.zarr", options)
        if options.check:
            _check(request, found, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=20_000, help="pixels along y and x")
    parser.add_argument("--tile", type=int, default=2048, help="side of the blocks")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--image", type=Path, help="image to fill the plane with")
    parser.add_argument("--model", help="name or folder of a model")
    parser.add_argument("--folder", type=Path, help="where the plane and the labels lie meanwhile")
    parser.add_argument("--check", action="store_true", help="compare with one process")
    parser.add_argument("--kill", type=int, default=0, help="so many workers are killed")
    parser.add_argument("--end", type=int, default=0, help="so many schedulers are killed")
    parser.add_argument("--within", type=float, default=60.0, help="seconds between two deaths")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _make_plane(source: Path | None, side: int, folder: Path) -> Path:
    import dask.array as da

    image = mirrored(source)
    rows, columns = (-(-side // n) for n in image.shape[:2])
    pixels = da.tile(da.from_array(image), (rows, columns))[:side, :side]
    return write_image(folder / "plane.ome.zarr", MicroscopyImage(pixels, "yx", (1.0, 0.5, 0.5)))


def _make_model(folder: Path) -> Path:
    """Build a small network that finds objects, others in each image."""
    import torch

    from napari_ssp.registry import ModelCard, save_model
    from napari_ssp.registry.weights import build_network

    torch.manual_seed(0)
    arguments = {"encoder": "tu-resnet18d", "decoder_channels": [16] * 4, "pab_channels": 16}
    card = ModelCard("cheap", "mediar", arguments, "", window=(512, 512))
    network: Any = build_network(card)
    weights = dict(network.named_parameters())
    with torch.no_grad():
        weights["gradflow_head.3.weight"] *= 50
        weights["cellprob_head.3.weight"] *= 200
        weights["cellprob_head.3.bias"] += 2.5
    return save_model(network, card, folder / "model").weights.parent


def _segment(request: SegmentRequest, target: Path, options: argparse.Namespace) -> Path:
    began, attempts, watch = time.monotonic(), 0, _Watch(options)
    stages: dict[str, float] = {}
    with ModelService(f"processes:{options.workers}") as service:
        while True:
            attempts += 1
            try:
                steps = segment_by_blocks(service, request, Goal(target, resume=attempts > 1))
                result = _follow(steps, stages)
                break
            except (OSError, RuntimeError) as error:
                print(f"ended ({error}); resumed", file=sys.stderr, flush=True)
    watch.stop()
    figures = {
        "objects": result.count,
        "seconds": round(time.monotonic() - began),
        "by stage": {stage: round(spent) for stage, spent in stages.items()},
        "peak of a worker, GiB": round(watch.peak / 2**30, 2),
        "workers killed": watch.killed,
        "schedulers killed": watch.ended,
        "times begun": attempts,
    }
    print(", ".join(f"{name}: {value}" for name, value in figures.items()), flush=True)
    return target


def _follow(steps: Any, stages: dict[str, float]) -> Any:
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


class _Watch:
    """A thread that measures workers, and kills them at random moments."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.peak = self.killed = self.ended = 0
        self._options = options
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        due = time.monotonic() + random.uniform(5, self._options.within)
        while not self._over.wait(0.2):
            workers = _workers()
            for worker in workers:
                try:
                    info = worker.memory_info()
                    self.peak = max(self.peak, info.rss - getattr(info, "shared", 0))
                except psutil.Error:  # it has just ended
                    continue
            if time.monotonic() > due and workers:
                due = time.monotonic() + random.uniform(5, self._options.within)
                self._kill(workers)

    def _kill(self, workers: list[psutil.Process]) -> None:
        left = self._options.kill - self.killed, self._options.end - self.ended
        if not any(left):
            return
        if random.choices((True, False), left)[0]:
            os.kill(random.choice(workers).pid, signal.SIGKILL)
            self.killed += 1
        else:
            os.kill(workers[0].ppid(), signal.SIGKILL)
            self.ended += 1


def _workers() -> list[psutil.Process]:
    found: list[psutil.Process] = []
    try:
        for server in psutil.Process().children():
            if "own_process" in " ".join(server.cmdline()):
                found += [p for p in server.children() if "spawn_main" in " ".join(p.cmdline())]
    except psutil.Error:
        return []
    return found


def _check(request: SegmentRequest, target: Path, options: argparse.Namespace) -> None:
    import torch

    from napari_ssp.metrics import average_precision

    # As many as each worker has: sums depend on it.
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // options.workers))
    with ModelService() as service:
        expected = service.submit(request).result().labels
    found = np.asarray(read_image(target).data)
    ids = np.unique(found)
    figures = {
        "the same labels": bool((found == expected).all()),
        "AP at IoU 0.9": round(float(average_precision(expected, found, (0.9,))[0]), 5),
        "ids consecutive": bool((ids == np.arange(len(ids))).all()),
    }
    print(", ".join(f"{name}: {value}" for name, value in figures.items()), flush=True)


if __name__ == "__main__":
    main()
