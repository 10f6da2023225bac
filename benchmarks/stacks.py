"""How well 3D nuclei are found: objects tracked in 3D beside planes that are linked by overlap.

    python benchmarks/stacks.py FOLDER --voxel-size ovule_nuclei_1135=0.284,0.127,0.127

FOLDER holds ``images`` and ``labels``, as ``python scripts/starter_cells DATA OUT`` writes them
into OUT/stacks. A stack without ``--voxel-size`` has cubes for voxels. The score is AP at IoU 0.5,
TP / (TP + FP + FN), of whole objects. ``--json`` keeps the means for ``scripts/starter_model.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

import napari_ssp as ssp
from napari_ssp.metrics import match_counts
from napari_ssp.service.stack_grid import AP_OF_LINKED, AP_OF_VOLUMES

_WAYS = {"volume": AP_OF_VOLUMES, "linked": AP_OF_LINKED}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="generalist-starter")
    parser.add_argument("--voxel-size", action="append", default=[], metavar="NAME=Z,Y,X")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    sizes = dict(word.split("=") for word in chosen.voxel_size)
    print(f"{chosen.model}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    figures = {}
    for way, name in _WAYS.items():
        scores = [
            _score(path, chosen.model, way, sizes.get(path.stem, "1,1,1"))
            for path in sorted((chosen.folder / "images").glob("*.tiff"))
        ]
        figures[name] = float(np.mean(scores))
        print(f"{way:8}{'mean':32}{figures[name]:8.3f}")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(figures) + "\n", encoding="utf-8")


def _score(path: Path, model: str, way: str, size: str) -> float:
    stack: Any = tifffile.imread(path)
    labels = path.parent.parent / "labels" / f"{path.stem}_label.tiff"
    voxel_size = tuple(float(word) for word in size.split(","))
    began = time.perf_counter()
    found = ssp.segment(stack, model, axes="zyx", voxel_size=voxel_size, stacks=way, fallback=False)
    seconds = time.perf_counter() - began
    counts = match_counts(tifffile.imread(labels), found.labels, 0.5)
    said = f"{counts.true_positives} of {counts.true_positives + counts.false_negatives} objects"
    more = f"{counts.false_positives} more, {seconds:.0f} s"
    print(f"{way:8}{path.stem:32}{counts.average_precision:8.3f}  {said}, {more}", flush=True)
    return counts.average_precision


if __name__ == "__main__":
    main()
