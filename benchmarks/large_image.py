"""A plane of any size: the labels of blocks beside those of the whole, and the memory they take.

    python benchmarks/large_image.py                          # 20,000 x 20,000 pixels
    python benchmarks/large_image.py --check [IMAGE ...]      # blocks beside the whole, 4096 x 4096

The network is cheap: cells are where it is bright, and flows go up the brightness. All else is
what ``napari-ssp segment`` does. The plane is made of mirrored copies of a real image,
scikit-image's coins unless others are named, and lies on disk. Each run is a process of its own;
its peak memory is what the operating system counted, with the pages of files that were mapped.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE, CHECKED_SIDE = 20_000, 4096
CHECKED_TILES = (500, 1000, 1536, 3000)
WINDOW = 512


def main() -> None:
    """Print one line of figures per run."""
    options = _options()
    if options.child:
        print(json.dumps(_segment(options)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.check:
            for source in options.images or [None]:
                _check(source, folder, options)
            return
        plane = _make_plane(options.images[0] if options.images else None, options.side, folder)
        print(_line(_run(plane, folder, options, options.tile)), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("images", nargs="*", type=Path, help="images to fill the plane with")
    parser.add_argument("--check", action="store_true", help="compare blocks with the whole")
    parser.add_argument("--side", type=int, default=SIDE, help="pixels along y and x")
    parser.add_argument("--tile", type=int, help="side of the blocks")
    parser.add_argument("--overlap", type=float, default=0.25, help="of windows of 512 pixels")
    parser.add_argument("--tta", action="store_true", help="average mirror images, too")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _check(source: Path | None, folder: Path, options: argparse.Namespace) -> None:
    from napari_ssp.metrics import average_precision

    plane = _make_plane(source, CHECKED_SIDE, folder)
    whole = _run(plane, folder, options, CHECKED_SIDE)
    expected = np.load(folder / "labels.npy")
    print(source.name if source else "coins", _line(whole), flush=True)
    for tile in CHECKED_TILES:
        figures = _run(plane, folder, options, tile)
        found = np.load(folder / "labels.npy")
        figures["AP at IoU 0.9"] = round(float(average_precision(expected, found, (0.9,))[0]), 5)
        figures["ids unique"] = len(np.unique(found)) - 1 == figures["objects"]
        print("    ", _line(figures), flush=True)


def mirrored(source: Path | None) -> NDArray[Any]:
    """Image, or scikit-image's coins, and its mirror images: copies of it meet without a step."""
    if source is None:
        from skimage import data

        image = data.coins()
    else:
        from napari_ssp.io import read_image

        image = read_image(source).plane()
    image = np.concatenate([image, image[:, ::-1]], axis=1)
    image = np.concatenate([image, image[::-1]], axis=0)
    return image


def _make_plane(source: Path | None, side: int, folder: Path) -> Path:
    """Fill a plane on disk with mirrored copies of an image, band by band."""
    image = mirrored(source)
    path = folder / "plane.npy"
    shape = (side, side, *image.shape[2:])
    plane = np.lib.format.open_memmap(path, "w+", image.dtype, shape)
    columns = np.arange(side) % image.shape[1]
    for top in range(0, side, 512):
        rows = np.arange(top, min(top + 512, side)) % image.shape[0]
        plane[top : top + 512] = image[rows][:, columns]
    plane.flush()
    return path


def _run(
    plane: Path, folder: Path, options: argparse.Namespace, tile: int | None
) -> dict[str, Any]:
    words = [sys.executable, __file__, "--child", plane, "--folder", folder]
    words += ["--overlap", options.overlap, *(["--tta"] if options.tta else [])]
    words += ["--tile", tile] if tile else []
    words += ["--check"] if options.check else []
    done = subprocess.run([str(w) for w in words], check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _segment(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from napari_ssp import SegmentRequest
    from napari_ssp.registry import ModelCard, save_model
    from napari_ssp.registry.weights import build_network
    from napari_ssp.service.segmentation.steps import segment_steps

    network = {"encoder": "tu-resnet18d", "decoder_channels": [16, 16, 16, 16], "pab_channels": 16}
    card = ModelCard("cheap", "mediar", network, "", window=(WINDOW, WINDOW))
    if not (options.folder / "card.json").exists():
        save_model(build_network(card), card, options.folder)
    torch.set_num_threads(1)
    image = np.load(options.child, mmap_mode="r")
    axes = "yx" if image.ndim == 2 else "yxc"
    choices = {"axes": axes, "overlap": options.overlap, "tta": options.tta}
    # Gradients of brightness need all digits; a trained network's flows do not.
    choices |= {"device": "cpu", "precision": "float32"}
    request = SegmentRequest(image, str(options.folder), tile=options.tile, **choices)
    began = time.monotonic()
    result, seconds = _timed(segment_steps(request, _Cheap()))  # type: ignore[arg-type]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if options.check:
        np.save(options.folder / "labels.npy", result.labels)
    return {
        "plane": f"{image.shape[1]} x {image.shape[0]}",
        "tile": options.tile or "automatic",
        "objects": result.num_objects,
        "seconds": round(time.monotonic() - began),
        "by stage": {stage: round(spent) for stage, spent in seconds.items()},
        "peak GiB": round(peak, 2),
    }


def _timed(steps: Any) -> tuple[Any, dict[str, float]]:
    """Give the result, and seconds by stage; progress goes to standard error."""
    seconds: dict[str, float] = {}
    stage, since = "start", time.monotonic()
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            seconds[stage] = seconds.get(stage, 0.0) + time.monotonic() - since
            return stop.value, seconds
        now = time.monotonic()
        seconds[stage] = seconds.get(stage, 0.0) + now - since
        if step.stage != stage or step.done % 100 == 0:
            print(step.stage, step.done, "of", step.total, file=sys.stderr, flush=True)
        stage, since = step.stage, now


class _Cheap:
    """Where the network comes from."""

    def get(self, card: Any, device: Any, dtype: Any) -> Any:
        return _up_the_brightness


def _up_the_brightness(windows: Any) -> Any:
    import torch
    import torch.nn.functional as F

    grey = windows.mean(1, keepdim=True)
    for _ in range(3):
        grey = F.avg_pool2d(F.pad(grey, (3, 3, 3, 3), mode="replicate"), 7, 1)
    dy, dx = torch.gradient(grey, dim=(2, 3))
    length = torch.sqrt(dy**2 + dx**2) + 1e-4
    return torch.cat([5 * dy / length, 5 * dx / length, 12 * (grey - 0.45)], 1)


def _line(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in figures.items())


if __name__ == "__main__":
    main()
