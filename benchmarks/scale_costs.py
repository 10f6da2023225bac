"""How the cost of segmentation grows from one image to a petabyte of plates.

    python benchmarks/scale_costs.py                        # the table of docs/scale.md
    python benchmarks/scale_costs.py --figures my.json --workers 256
    python benchmarks/scale_costs.py --measure IMAGE.tif --device cuda --figures my.json

The table is computed from few figures, which are measured where the work is to be done: --measure
segments an image, brought to 1024 x 1024 pixels of 16 bits by mirrors, and writes them. Time grows
with the pixels (docs/performance.md says how well that holds); what a block reads around it is
read, and counted, twice. How often a worker is lost is no measurement but an assumption that is
given: a preempted node, a crash, a drive that was away. What is lost with it is half of what one
worker does at a time, an image or a block, and that is done again.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

FIGURES = Path(__file__).with_name("scale_figures.json")
#: Pixels of the largest plane without blocks, the side of these, and pixels seen around one.
LARGEST, SIDE, MARGIN = 16 * 2**20, 2048, 262


@dataclass(frozen=True)
class Figures:
    """What was measured.

    Attributes
    ----------
    device : str
        What computed, for the heading.
    seconds : float
        Of one worker, for a million pixels of a warm run, from request to labels; on a processor
        those of its threads, so that other work does not count.
    read, written : float
        Bytes on disk for each pixel of 16 bits, and of its labels, as compressed OME-Zarr.
    sent : float
        Bytes of the result for each pixel, labels and flows, which come back from a worker.
    """

    device: str
    seconds: float
    read: float
    written: float
    sent: float


@dataclass(frozen=True)
class Work:
    """Planes to be segmented: how many, and how large each is."""

    name: str
    planes: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Of all planes."""
        return self.planes * self.height * self.width

    @property
    def blocks(self) -> int:
        """What workers do one by one: planes, or blocks of them."""
        if self.height * self.width <= LARGEST:
            return self.planes
        return self.planes * math.ceil(self.height / SIDE) * math.ceil(self.width / SIDE)

    @property
    def is_by_blocks(self) -> bool:
        """Whether planes are done by blocks, which workers read and write where they lie."""
        return self.blocks > self.planes

    @property
    def share_around(self) -> float:
        """Pixels that are seen, with those around blocks, by the pixels that there are."""
        return ((SIDE + 2 * MARGIN) / SIDE) ** 2 if self.is_by_blocks else 1.0


_PLATE = 384 * 9
WORKS = (
    Work("one image, 1024 × 1024", 1, 1024, 1024),
    Work("one slide, 20 000 × 20 000", 1, 20_000, 20_000),
    Work("one plate, 384 wells × 9 fields of 2160 × 2160", _PLATE, 2160, 2160),
    Work("a screen, 100 plates", 100 * _PLATE, 2160, 2160),
    Work("a petabyte of such pixels, 31 009 plates", 31_009 * _PLATE, 2160, 2160),
)


def make_table(figures: Figures, workers: int = 64, lost_per_hour: float = 0.001) -> str:
    """Table in Markdown, with a sentence before it that says what it was computed from."""
    heads = ["what", "pixels", "images or blocks", "read", "sent by workers", "written"]
    heads += ["worker hours", f"days of {workers} workers", "workers lost", "hours done again"]
    lines = [
        f"Computed from {figures.seconds:.3g} s per million pixels on {figures.device}, "
        f"{figures.read:.2f} bytes read, {figures.sent:.0f} sent and {figures.written:.2f} written "
        f"per pixel, and one worker lost in {1 / lost_per_hour:,.0f} hours:",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
    ]
    for work in WORKS:
        seen = work.pixels * work.share_around
        hours = seen * figures.seconds / 1e6 / 3600
        lost = hours * lost_per_hour
        cells = [
            work.name,
            f"{work.pixels:.2g}",
            f"{work.blocks:,}",
            _bytes(seen * figures.read),
            _bytes(0 if work.is_by_blocks else work.pixels * figures.sent),
            _bytes(work.pixels * figures.written),
            _number(hours),
            _number(hours / min(workers, work.blocks) / 24),
            _number(lost),
            _number(lost * hours / work.blocks / 2),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _bytes(count: float) -> str:
    power = min(int(math.log10(max(count, 1)) // 3), 5)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB', 'PB')[power]}"


def measure(path: Path, device: str, repeats: int) -> Figures:
    """Segment an image of 1024 x 1024 pixels, and look at what lies on the disk then."""
    import numpy as np
    import torch

    import napari_ssp as ssp
    from napari_ssp.io import read_image, write_image, write_labels

    plane = read_image(path).plane()
    margins = [(0, max(0, 1024 - n)) for n in plane.shape]
    pixels = np.pad(plane, margins, mode="symmetric")[:1024, :1024].astype(np.uint16)
    is_card = device.startswith("cuda")
    clock = time.perf_counter if is_card else time.process_time
    times = []
    with ssp.ModelService() as service, tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats + 1):
            began = clock()
            result = service.submit(
                ssp.SegmentRequest(pixels, device=device, fallback=False)
            ).result()
            times.append(clock() - began)
        image = write_image(Path(folder) / "image.zarr", ssp.MicroscopyImage(pixels, "yx"))
        labels = write_labels(Path(folder) / "labels.zarr", result.labels)
        read, written = (_size(one) / pixels.size for one in (image, labels))
    name = torch.cuda.get_device_name() if is_card else f"{torch.get_num_threads()} core"
    seconds = median(times[1:]) / (pixels.size / 1e6)  # the first one loads everything
    arrays = (result.labels, result.flows, result.cell_probability)
    sent = sum(np.asarray(array).nbytes for array in arrays) / pixels.size
    return Figures(name, *(round(n, 3) for n in (seconds, read, written, sent)))


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    """Measure, where that is asked for, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--figures", type=Path, default=FIGURES, help="JSON with what was measured")
    parser.add_argument("--measure", type=Path, metavar="IMAGE", help="write the figures first")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument(
        "--lost-per-hour", type=float, default=0.001, help="workers lost in an hour of one worker"
    )
    options = parser.parse_args()
    if options.measure:
        found = measure(options.measure, options.device, options.repeats)
        options.figures.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    figures = Figures(**json.loads(options.figures.read_text(encoding="utf-8")))
    print(make_table(figures, options.workers, options.lost_per_hour))


if __name__ == "__main__":
    main()
