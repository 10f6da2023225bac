"""What it costs to compute in processes beside this one, and what several of them bring.

    python benchmarks/compute.py
    python benchmarks/compute.py --repeats 9 --workers 1 2 4 8

The starter model segments noise with cells' contrast on the processor. *Overhead* is the time of
one image of 1024 x 1024 pixels with one process beside this one, against the same in this process;
both are warm, and runs alternate, so that foreign load meets both alike. *Workers* is the time of a
batch of images of 512 x 512 pixels that are submitted together; efficiency is against one worker,
by the number of workers that the cores can carry. Networks share cores, they do not make them: on a
computer of two cores four workers cannot be faster than two.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from napari_ssp import ModelService, SegmentRequest


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--images", type=int, default=8, help="of the batch")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    report = {"overhead": measure_overhead(options.repeats)}
    for name, value in report["overhead"].items():
        print(f"{name:24} {value:.3f}", flush=True)
    report["workers"] = measure_workers(options.workers, options.images)
    for row in report["workers"]:
        print(", ".join(f"{name} {value:.2f}" for name, value in row.items()))
    print(f"load {os.getloadavg()[0]:.1f}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def measure_overhead(repeats: int) -> dict[str, float]:
    """Seconds of one image here and in a process beside, and the share that is added."""
    request = SegmentRequest(make_image(1024), device="cpu")
    found: dict[str, list[float]] = {"local": [], "processes": []}
    with ModelService() as here, ModelService("processes:1") as beside:
        for number in range(repeats + 1):
            for name, service in (("local", here), ("processes", beside)):
                began = time.perf_counter()
                service.submit(request).result()
                if number:  # the first one loads everything
                    found[name].append(time.perf_counter() - began)
    report = {f"{name}, {kind.__name__}": kind(s) for name, s in found.items() for kind in KINDS}
    for kind in KINDS:
        added = kind(found["processes"]) / kind(found["local"]) - 1
        report[f"added, {kind.__name__}"] = added
    return report


KINDS = (median, min)


def measure_workers(counts: list[int], images: int) -> list[dict[str, Any]]:
    """Seconds of a batch with so many workers, and their efficiency."""
    rows: list[dict[str, Any]] = []
    requests = [SegmentRequest(make_image(512, seed), device="cpu") for seed in range(images)]
    for count in counts:
        with ModelService(f"processes:{count}") as service:
            # All of them load everything first.
            for job in [service.submit(request) for request in requests[:count] * 2]:
                job.result()
            began = time.perf_counter()
            for job in [service.submit(request) for request in requests]:
                job.result()
            seconds = time.perf_counter() - began
        first = rows[0]["seconds"] if rows else seconds
        most = min(count, os.cpu_count() or 1)
        row = {"workers": count, "seconds": seconds, "times as fast": first / seconds}
        rows.append({**row, "efficiency": first / seconds / most})
    return rows


def make_image(side: int, seed: int = 0) -> Any:
    """Round bright spots in noise, uint8 (Y, X)."""
    noise = np.random.default_rng(seed)
    image = noise.normal(20, 4, (side, side))
    y, x = np.mgrid[:side, :side]
    for row, column in noise.integers(0, side, (side // 10, 2)):
        image += 120 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 100)
    return np.clip(image, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
