"""The cut of this folder: what the tests need of the full folder of reference numbers.

    python tests/reference/subset.py FULL_FOLDER

It decides only what is kept and how densely; every number that it writes is one of the originals'.
"""

from __future__ import annotations

import io
import json
import lzma
import sys
import zlib
from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import tifffile

HERE = Path(__file__).resolve().parent
FACTS = (
    "checkpoints",
    "faafo_shared",
    "forward_shared",
    "mediar_shared",
    "metrics_shared",
    "repmode_predict_shared",
)
STACKS = ("small_raw", "default_raw")

# Arrays of each file by the first pattern that fits, and the step along their spatial axes; what
# fits none, or a step of 0, is left out. The steps are odd: outputs are compared at every position
# within a stride of a network.
KEPT = {
    "flows_shared": {
        "dense300_flow_mediar": 5,
        "huge_flow_mediar": 3,
        "*_flow_mediar": 1,
        "*_noisy_masks_mediar": 1,
    },
    "forward_mediar_shared": {"mit_b5_1x3x64x64": 1, "mit_b0_*": 3},
    "forward_repmode_shared": {
        "m4_1x1x16x32x32_t*": 3,
        "train_m4_output": 3,
        "eval_persample_m4": 3,
        "m32_1x1x16x32x32_t5": 1,
    },
    "metrics_shared": {"*": 1},
    "mediar_preprocess_shared": {"*_gen_*": 1},
    "mediar_pipeline_shared": {
        "*_analytic_*_mask": 1,
        "*_analytic_*": 3,
        "coins_tiny_base_*": 3,
        "coins_tiny_ensemble_tta_*": 3,
    },
    "repmode_predict_shared": {"small_raw": 0, "default_raw": 0, "small_pred": 3, "*": 1},
}
VOLUMES = ("forward_repmode_shared", "repmode_predict_shared")


def cut(name: str, array: np.ndarray, step: int, spatial: int) -> tuple[str, np.ndarray]:
    """Every ``step``-th value along the last ``spatial`` axes, under a name that says so."""
    if step == 1:
        return name, array
    stem, _, known = name.partition("_every")
    thinned = array[(..., *[slice(None, None, step)] * spatial)]
    return f"{stem}_every{step * int(known or 1)}", np.ascontiguousarray(thinned)


def cut_arrays(source: Path, stem: str) -> None:
    """Write the kept arrays of one file."""
    kept = {}
    with np.load(source / f"{stem}.npz") as arrays:
        for name in arrays.files:
            step = next((n for shape, n in KEPT[stem].items() if fnmatch(name, shape)), 0)
            if step:
                key, array = cut(name, arrays[name], step, 3 if stem in VOLUMES else 2)
                kept[key] = array
    np.savez_compressed(HERE / f"{stem}.npz", **kept)


def cut_stacks(source: Path) -> None:
    """Write the large input stacks as pictures, which take two thirds of an archive's place."""
    with np.load(source / "repmode_predict_shared.npz") as arrays:
        for name in STACKS:
            path = HERE / f"repmode_predict_{name}.tif"
            options = {"compression": "jpegxl", "compressionargs": {"lossless": True, "effort": 9}}
            tifffile.imwrite(path, arrays[name], photometric="minisblack", **options)
            np.testing.assert_array_equal(tifffile.imread(path), arrays[name])


def blank_moments(content: bytes, num_weights: int) -> bytes:
    """Return RepMode's file with zeros for the optimizer's moments, which no test reads."""
    blank = bytearray(content)
    with ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            number = member.filename.removeprefix("repmode_tiny/data/")
            if not number.isdigit() or int(number) < num_weights:
                continue
            values = archive.read(member)
            start = content.index(values, member.header_offset)
            blank[start : start + len(values)] = bytes(len(values))
            _replace_checksum(blank, zlib.crc32(values), zlib.crc32(bytes(len(values))))
    with ZipFile(io.BytesIO(blank)) as archive:
        assert archive.testzip() is None
    return bytes(blank)


def _replace_checksum(blank: bytearray, old: int, new: int) -> None:
    blank[:] = blank.replace(old.to_bytes(4, "little"), new.to_bytes(4, "little"))


def cut_checkpoint(source: Path) -> None:
    """Write RepMode's checkpoint without its weights, which are the seeded ones."""
    from repmode_tiny import ENTRIES, TEMPLATE, blank_weights, write_checkpoint

    whole = blank_moments((source / "repmode_tiny.p").read_bytes(), len(ENTRIES))
    TEMPLATE.write_bytes(lzma.compress(blank_weights(whole), preset=9 | lzma.PRESET_EXTREME))
    rebuilt = write_checkpoint(HERE / "repmode_tiny.p")
    assert rebuilt.read_bytes() == whole
    rebuilt.unlink()


def main(source: Path) -> None:
    """Cut the folder ``source`` into this one."""
    for stem in FACTS:
        facts = json.loads((source / f"{stem}.json").read_text())
        (HERE / f"{stem}.json").write_text(json.dumps(facts, separators=(",", ":")) + "\n")
    for stem in KEPT:
        cut_arrays(source, stem)
    cut_stacks(source)
    cut_checkpoint(source)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
