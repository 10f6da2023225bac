"""Put a finished training run into the package as ``mediar-starter``, with figures and curve.

``python scripts/starter_model.py RUN REPORT`` takes the run's folder and the JSON report of
``napari-ssp evaluate segmentation`` on the dsb2018 validation split. See
docs/models/mediar-starter.md for the commands that come before.
"""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from napari_ssp.registry import ModelCard, find_card, load_model, save_model

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src" / "napari_ssp" / "registry" / "starter" / "mediar-starter"
CURVE = ROOT / "docs" / "images" / "mediar-starter-curve.png"

DESCRIPTION = (
    "Nuclei in fluorescence, stained tissue and bright field; a start for phase-contrast cells. "
    "Small and quick, trained from scratch."
)
TRAINING_DATA = (
    "251 images of nuclei (2018 Data Science Bowl, BBBC038, corrected annotations, CC0), 16 "
    "phase-contrast images of T98G cells (oist/Usiigaci, MIT), 1 image of stardist/stardist (BSD-3)"
)
CITATION = (
    "Lee, Kim, Kim, Yun: MEDIAR, arXiv:2212.03465 (2022); "
    "Caicedo et al.: Nucleus segmentation across imaging experiments, Nature Methods 16 (2019); "
    "Tsai et al.: Usiigaci, SoftwareX 9 (2019)"
)


def describe(card: ModelCard, report: Path) -> ModelCard:
    """Fill in what a reader wants to know."""
    content = json.loads(report.read_text(encoding="utf-8"))
    groups = {"dsb2018 validation": content["mean"], **content["groups"]}
    figures = {
        f"{group}, F1 at IoU {threshold}": round(means[f"f1_{threshold}"], 3)
        for group, means in groups.items()
        for threshold in ("0.50", "0.75")
    }
    return replace(
        card,
        name="mediar-starter",
        description=DESCRIPTION,
        licence="BSD-3-Clause",
        citation=CITATION,
        training_data=TRAINING_DATA,
        figures=figures,
    )


def draw_curve(metrics: Path) -> None:
    """Draw loss and validation scores against the time of learning."""
    with metrics.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    minutes = [float(row["minutes"]) for row in rows]
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    scores, loss = figure.subplots(1, 2)
    for name, label in (("f1_0.50", "F1 at IoU 0.5"), ("f1_0.75", "F1 at IoU 0.75")):
        scores.plot(minutes, [float(row[name]) for row in rows], marker="o", label=label)
    scores.set(xlabel="minutes of learning", ylabel="validation, whole images", ylim=(0, 1))
    scores.legend(loc="lower right")
    loss.plot(minutes, [float(row["loss"]) for row in rows], marker="o", color="tab:red")
    loss.set(xlabel="minutes of learning", ylabel="training loss (mean since last point)")
    figure.savefig(CURVE, dpi=110)


def main() -> None:
    run, report = Path(sys.argv[1]), Path(sys.argv[2])
    card = find_card(run)
    written = save_model(load_model(card), describe(card, report), TARGET)
    draw_curve(run / "metrics.csv")
    print(f"{TARGET}: sha256 {written.sha256}, {written.weights.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
