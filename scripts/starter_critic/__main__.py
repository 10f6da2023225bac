"""The starter critic, from the pictures of dsb2018 to a shipped model with its figures.

``python scripts/starter_critic DATA OUT`` lets the starter model of cells make its mistakes on
pieces of the training pictures (``OUT/data``), trains a critic with each of three seeds
(``OUT/seed-0`` ...), scores them on the validation pictures (``OUT/figures.json``) and puts the one
into the package that ranks objects best, with their flows, of the pictures that its training set
aside. What is there already stays: give the same command again to go on, or remove a folder to make
it anew.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mistakes import write_mistakes, write_pieces
from scoring import compare, seconds_of_both
from segmenting import criticised

from napari_ssp.atomic import write_text
from napari_ssp.registry import CriticCalibration, ModelCard, load_model, save_model
from napari_ssp.registry.folders import STARTER_FOLDER

if TYPE_CHECKING:
    from napari_ssp.metrics import ConformalCalibration
    from napari_ssp.networks import DenseCritic

#: Training pictures that are taken, spread evenly over all; seeds, and steps of each.
PICTURES, SEEDS, STEPS = 125, (0, 1, 2), 1500
NAME, CHOSEN_BY = "critic-starter", "spearman_agreement"
#: Images of the calibration.
KEPT_BACK = "validation images of the 2018 Data Science Bowl, labels of mediar-starter"
#: Figures on the model's card: of labels of the starter model of cells.
FIGURES = ("spearman_object", "spearman_image 1 - PQ", "caught", "ece")


def train(data: Path, run: Path, seed: int, steps: int) -> None:
    """Train a critic, or go on with it."""
    if (run / "card.json").exists():
        return
    made = [word for way in sorted((data / "mistakes").iterdir()) for word in ("--mistakes", way)]
    chosen = ["--data", data, *made, "-o", run, "--seed", seed, "--steps", steps]
    chosen += ["--name", NAME, "--install", "never"]
    command = [sys.executable, "-m", "napari_ssp.cli", "train", "critic", *chosen]
    if subprocess.run([str(word) for word in command], check=False).returncode:
        sys.exit(f"The training in {run} failed.")


def ship(
    run: Path,
    figures: dict[str, dict[str, float]],
    critic: str,
    calibration: ConformalCalibration,
) -> None:
    """Put a critic into the package, with what it was measured to be."""
    ways = {"": critic, ", with flows": f"{critic}, flows"}
    named = {
        f"dsb2018 validation{words}, {name}": figures[way][name]
        for words, way in ways.items()
        for name in FIGURES
    }
    card = replace(
        ModelCard.read(run),
        name=NAME,
        description="Says where labels of nuclei are wrong, from image and labels, and from flows "
        "and cell probability where these are known: maps of missed, extra, merged and split "
        "objects and of boundaries, and 1 - IoU of each object.",
        licence="BSD-3-Clause",
        citation="Caicedo et al.: Nucleus segmentation across imaging experiments, Nature Methods "
        "16 (2019)",
        training_data=f"{PICTURES} images of nuclei (2018 Data Science Bowl, BBBC038, corrected "
        "annotations, CC0) with planted faults and with what mediar-starter made of them",
        figures=named,
        calibration=CriticCalibration(calibration.count, calibration.wrong, KEPT_BACK),
        reviews=("mediar-starter",),
    )
    save_model(load_model(run), card, STARTER_FOLDER / NAME)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the sets")
    parser.add_argument("out", type=Path, help="folder of pieces, runs and figures")
    parser.add_argument("--model", default="mediar-starter", help="model that makes mistakes")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each seed")
    parser.add_argument("--no-tta", action="store_true", help="leave mirrored views out")
    chosen = parser.parse_args()
    pieces = chosen.out / "data"
    names = write_pieces(chosen.data / "dsb2018" / "train", pieces, PICTURES)
    write_mistakes(pieces, names, chosen.model, print)
    runs = {f"critic, seed {seed}": chosen.out / f"seed-{seed}" for seed in SEEDS}
    for seed, run in zip(SEEDS, runs.values(), strict=True):
        train(pieces, run, seed, chosen.steps)
    critics = {name: cast("DenseCritic", load_model(run)) for name, run in runs.items()}
    kept_back = chosen.data / "dsb2018" / "val"
    pictures = criticised(kept_back, chosen.out / "val", chosen.model, not chosen.no_tta)
    tables = compare(pictures, critics)
    figures = {name: one.figures() for name, one in tables.items()}
    best = max(runs, key=lambda name: ModelCard.read(runs[name]).figures[CHOSEN_BY])
    ways = (best, f"{best}, flows")
    report = {
        "figures": figures,
        "accepted by calibration": {way: tables["starter"].coverage(way) for way in ways},
        "seconds of criticising and segmenting": seconds_of_both(critics[best], chosen.model),
    }
    write_text(chosen.out / "figures.json", json.dumps(report, indent=2) + "\n")
    ship(runs[best], figures["starter"], best, tables["starter"].calibration(best))


if __name__ == "__main__":
    main()
