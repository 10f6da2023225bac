"""What it costs to compute in processes beside this one, and what several of them bring.

    python benchmarks/compute.py
    python benchmarks/compute.py --repeats 9 --workers 1 2 4 8 --latency 0.5

*Overhead* is the time of one image of 1024 x 1024 pixels with one process beside this one, against
the same in this process; both are warm, and runs alternate, so that foreign load meets both alike.

*Workers* is the time of a batch of images of 512 x 512 pixels that are submitted together, of two
kinds; efficiency is how many times as fast it is, by the number of workers. *Network*: the starter
model on the processor. Networks share cores, they do not make them: on a computer of two cores
four workers cannot be faster than two. *Drive*: a small network, and images as OME-Zarr in chunks
of 64 pixels on a drive that takes --latency to open one, as a far server does. That drive is a real
folder: a library of ten lines, put before the system's in the workers, waits before it opens
chunks there. It needs Linux and a C compiler; without them this kind is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from blocks import make_model

from napari_ssp import ModelService, SegmentRequest

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="of the overhead")
    parser.add_argument("--images", type=int, default=8, help="of the batch")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--latency", type=float, default=0.2, help="seconds, of the slow drive")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    report: dict[str, Any] = {}
    if options.repeats:
        report["overhead"] = measure_overhead(options.repeats)
        for name, value in report["overhead"].items():
            print(f"{name:24} {value:.3f}", flush=True)
    requests = [
        SegmentRequest(make_image(512, n), device="cpu", fallback=False)
        for n in range(options.images)
    ]
    report["network"] = measure_workers("network", options.workers, requests)
    with tempfile.TemporaryDirectory() as name, slow_drive(Path(name), options.latency) as drive:
        if drive is not None:
            requests = store_images(drive, options.images)
            report["drive"] = measure_workers("drive", options.workers, requests)
    print(f"load {os.getloadavg()[0]:.1f}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def measure_overhead(repeats: int) -> dict[str, float]:
    """Seconds of one image here and in a process beside, and the share that is added."""
    request = SegmentRequest(make_image(1024), device="cpu", fallback=False)
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


def measure_workers(
    kind: str, counts: list[int], requests: list[SegmentRequest]
) -> list[dict[str, Any]]:
    """Seconds of a batch with so many workers, and their efficiency."""
    rows: list[dict[str, Any]] = []
    for count in counts:
        with ModelService(f"processes:{count}") as service:
            # All of them load everything first.
            for job in [service.submit(request) for request in requests[:count] * 2]:
                job.result()
            began = time.perf_counter()
            for job in [service.submit(request) for request in requests]:
                job.result()
            seconds = time.perf_counter() - began
        faster = rows[0]["seconds"] / seconds if rows else 1.0
        row = {"workers": count, "seconds": seconds, "times as fast": faster}
        rows.append({**row, "efficiency": faster * counts[0] / count})
        figures = ", ".join(f"{name} {value:.2f}" for name, value in rows[-1].items())
        print(f"{kind}: {figures}", flush=True)
    return rows


#: In the place of the system's functions; chunks of a Zarr lie in folders of the name "c".
_SLOW = """
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static int slow(int folder, const char *path, int flags, int mode) {
    if (strstr(path, FOLDER) && strstr(path, "/c/")) usleep(MICROSECONDS);
    return syscall(SYS_openat, folder, path, flags, mode);
}
#define MODE va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest)
int open(const char *path, int flags, ...) { MODE; return slow(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE; return slow(AT_FDCWD, path, flags, mode); }
"""


@contextmanager
def slow_drive(folder: Path, latency: float) -> Iterator[Path | None]:
    """Folder whose chunks open late in processes that start meanwhile; None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        yield None
        return
    source, library = folder / "slow.c", folder / "slow.so"
    source.write_text(_SLOW)
    words = [f'-DFOLDER="{folder}"', f"-DMICROSECONDS={latency * 1e6:.0f}"]
    subprocess.run([compiler, *words, "-shared", "-fPIC", "-o", library, source], check=True)
    os.environ["LD_PRELOAD"] = str(library)
    try:
        yield folder
    finally:
        del os.environ["LD_PRELOAD"]


def store_images(folder: Path, count: int) -> list[SegmentRequest]:
    """Write OME-Zarr images in small chunks; their requests have a small network."""
    choices = make_model(folder, window=128)
    scale = [{"type": "scale", "scale": [1.0, 1.0]}]
    level = {"path": "0", "coordinateTransformations": scale}
    axes = [{"name": name, "type": "space"} for name in "yx"]
    ome = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
    requests = []
    for number in range(count):
        path = folder / f"{number}.ome.zarr"
        group = zarr.create_group(path, zarr_format=3, attributes={"ome": ome})
        group.create_array("0", data=make_image(512, number), chunks=(64, 64))
        requests.append(SegmentRequest(path, device="cpu", fallback=False, **choices))
    return requests


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
