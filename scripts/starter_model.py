"""Put finished training runs into the package as its starter models, with figures and curves.

``python scripts/starter_model.py pairs DATA OUT`` copies the real pairs of ``transmitted_light``
that ``repmode-starter`` is made of into one folder with tables, ready for ``napari-ssp train
structures`` and for ``benchmarks/structure_baselines.py``. ``python scripts/starter_model.py mediar
RUN REPORT``, ``... generalist RUN REPORT`` and ``... repmode RUN REPORT`` take a run's folder and a
JSON report: of ``napari-ssp evaluate segmentation`` on the images that were kept back, or of
``benchmarks/structure_baselines.py --model RUN``. ``python scripts/starter_model.py stacks STARTER
REPORT`` adds what ``benchmarks/stacks.py`` has measured to a starter's card. ``python
scripts/starter_model.py average OUT MODEL MODEL ...`` averages the weights of runs that went on
from one another. The pages in docs/models have all commands.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import tifffile
from matplotlib.figure import Figure

from napari_ssp.registry import ModelCard, find_card, load_model, save_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
STARTERS = ROOT / "src" / "napari_ssp" / "registry" / "starter"
IMAGES = ROOT / "docs" / "images"


class Text(NamedTuple):
    """What a reader wants to know of a model."""

    description: str
    training_data: str
    citation: str


MEDIAR = Text(
    "Nuclei in fluorescence, stained tissue and bright field; a start for phase-contrast cells. "
    "Small and quick, trained from scratch.",
    "251 images of nuclei (2018 Data Science Bowl, BBBC038, corrected annotations, CC0), 16 "
    "phase-contrast images of T98G cells (oist/Usiigaci, MIT), 1 image of stardist/stardist "
    "(BSD-3)",
    "Lee, Kim, Kim, Yun: MEDIAR, arXiv:2212.03465 (2022); "
    "Caicedo et al.: Nucleus segmentation across imaging experiments, Nature Methods 16 (2019); "
    "Tsai et al.: Usiigaci, SoftwareX 9 (2019)",
)
GENERALIST = Text(
    "Cells and nuclei of many kinds: fluorescence, stained tissue, phase contrast, DIC, bright "
    "field, bacteria and yeast, blood; two channels (cells, nuclei) where there are. Of nuclei in "
    "fluorescence mediar-starter finds more.",
    "804 pieces of 28 collections, split by image, and 560 drawn pictures of bacteria, yeast, "
    "blood cells, worms and tissue (CC0): 2018 Data Science Bowl (BBBC038), BBBC009, "
    "CellBinDB (CC0); BBBC010, BBBC020, BBBC030, BBBC050 (CC-BY-3.0), MorphoLibJ's maize "
    "(CC-BY-4.0); Usiigaci, MNFinder, CODEX expert annotations, ColiCoords, baby, midap, BCCD, "
    "WSU_PlantBio_ML, QCANet, plant-seg (MIT); stardist, epitools, ndev-sampledata (BSD-3). "
    "Encoder: EfficientNet-Lite0, ImageNet (Apache-2.0)",
    "Lee, Kim, Kim, Yun: MEDIAR, arXiv:2212.03465 (2022); "
    "Tan, Le: EfficientNet, ICML (2019); "
    "Ljosa, Sokolnicki, Carpenter: Annotated high-throughput microscopy image sets for validation, "
    "Nature Methods 9 (2012)",
)
REPMODE = Text(
    "Nuclear envelope from bright field (hiPSC, 100x) and DNA, MAP2 and neurofilaments from phase "
    "contrast (neurons); a demonstration, learned from one field of view each. Of DNA, MAP2 and "
    "neurofilaments only the maximum projection along z was measured: where along z their "
    "prediction lies is not learned from data.",
    "6 tiles of 16 x 128 x 128 of one field of the Allen Institute's label-free collection (lamin "
    "B1, as cut and scaled by marrlab/InstantDL, repository MIT; the Allen Institute's terms of "
    "use apply), 2 quadrants of 13 x 512 x 512 of google/in-silico-labeling (Apache-2.0)",
    "Zhou et al.: RepMode, CVPR (2023); Ounkomol et al.: Label-free prediction of "
    "three-dimensional fluorescence images, Nature Methods 15 (2018); "
    "Christiansen et al.: In silico labeling, Cell 173 (2018)",
)

#: Task and description of each real target; of the last three a plane is learned from.
STRUCTURES = {
    "lamin_b1": "Nuclear envelope (lamin B1), from bright field",
    "dapi": "DNA (DAPI), from phase contrast; learned from its maximum projection",
    "map2": "Dendrites and cell bodies (MAP2), from phase contrast; from its maximum projection",
    "nfh": "Axons (neurofilament H), from phase contrast; from its maximum projection",
    "ecoli_body": "E. coli, whole cells, from one plane of flattened bright field",
    "saureus_membrane": "Membrane of S. aureus (Nile Red), from one plane of phase contrast",
    "saureus_dna": "DNA of S. aureus (Hoechst), from one plane of phase contrast",
}
#: Fields of view, recordings and images that are kept out of training entirely.
HELD_OUT = ("fovB", "q10", "ds2")
HELD_OUT_IMAGES = ("ecoli_ds1_00010", "ecoli_ds4_00014", "ecoli_ds4_00017")
#: Columns of the one field of S. aureus that are learned from, and those that are kept back.
FIELD_PARTS = {"train": slice(0, 896), "test": slice(928, None)}
#: Nothing but noise is seen in its fluorescence.
LEFT_OUT = "worm_embryo"


def copy_pairs(data: Path, folder: Path) -> None:
    """Copy the pairs into one folder: a table of stacks, and one of each structure of planes.

    What is kept back has the split ``test``, which no training looks at.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["id"] == LEFT_OUT:
                continue
            task = _task(row)
            table = task if row["group"] == "pairs_2d" else "pairs"
            tables[table] += _parts(data, row, task, folder)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def _task(row: dict[str, str]) -> str:
    if row["group"] == "pairs_3d":
        return "lamin_b1"
    if row["group"] == "pairs_2d":
        return row["id"] if row["id"] in STRUCTURES else "ecoli_body"
    return row["id"].rsplit("_", 1)[1].lower()


def _parts(data: Path, row: dict[str, str], task: str, folder: Path) -> Iterator[dict[str, str]]:
    """Copy an image, or the two parts of the only one, and give their lines of the table."""
    held_out = row["id"] in HELD_OUT_IMAGES or set(HELD_OUT) & set(row["id"].split("_"))
    whole = {"test" if held_out else "train": None}
    for split, columns in (FIELD_PARTS if task.startswith("saureus") else whole).items():
        names = {}
        for role in ("signal", "target"):
            source = data / row[role]
            names[role] = source.name if columns is None else f"{split}_{source.name}"
            if columns is None:
                shutil.copyfile(source, folder / names[role])
            else:
                tifffile.imwrite(folder / names[role], tifffile.imread(source)[:, columns])
        yield {**names, "task": task, "split": split, "description": STRUCTURES[task]}


def segmentation_figures(report: dict[str, Any], images: str) -> dict[str, float]:
    groups = {images: report["mean"], **report["groups"]}
    return {
        f"{group}, F1 at IoU {threshold}": round(means[f"f1_{threshold}"], 3)
        for group, means in groups.items()
        for threshold in ("0.50", "0.75")
    }


def structure_figures(report: dict[str, Any]) -> dict[str, float]:
    return {
        f"{task}, Pearson correlation on the held-out field{suffix}": round(scores[method], 3)
        for task, scores in report["pcc"].items()
        for method, suffix in (("model", ""), ("filters", ", linear regression on local filters"))
    }


def draw_curve(metrics: Path, scores: dict[str, str], path: Path) -> None:
    """Draw loss and validation scores against the time of learning."""
    with metrics.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    minutes = [float(row["minutes"]) for row in rows]
    scored = {name: label for name, label in scores.items() if name in rows[0]}
    figure = Figure(figsize=(7 if scored else 3.5, 3.2), layout="constrained")
    *left, right = figure.subplots(1, 1 + bool(scored), squeeze=False)[0]
    for axes in left:
        for name, label in scored.items():
            axes.plot(minutes, [float(row[name]) for row in rows], marker="o", label=label)
        axes.set(xlabel="minutes of learning", ylabel="validation, whole images", ylim=(0, 1))
        axes.legend(loc="lower right")
    right.plot(minutes, [float(row["loss"]) for row in rows], marker="o", color="tab:red")
    right.set(xlabel="minutes of learning", ylabel="training loss (mean since last point)")
    figure.savefig(path, dpi=110)


def install(what: str, run: Path, report: Path) -> None:
    """Save a run as a starter."""
    content = json.loads(report.read_text(encoding="utf-8"))
    name = f"{what}-starter"
    curves = {"f1_0.50": "F1 at IoU 0.5", "f1_0.75": "F1 at IoU 0.75"}
    if what == "mediar":
        text, figures = MEDIAR, segmentation_figures(content, "dsb2018 validation")
    elif what == "generalist":
        text, figures = GENERALIST, segmentation_figures(content, "all kept back images")
    else:
        text, figures = REPMODE, structure_figures(content)
        curves = {f"pcc {task}": f"{task}, correlation" for task in STRUCTURES}
    card = find_card(run)
    described = replace(card, name=name, licence="BSD-3-Clause", figures=figures, **text._asdict())
    written: ModelCard = save_model(load_model(card), described, STARTERS / name)
    draw_curve(run / "metrics.csv", curves, IMAGES / f"{name}-curve.png")
    size = written.weights.stat().st_size / 1e6
    print(f"{STARTERS / name}: sha256 {written.sha256}, {size:.1f} MB")


def add_figures(starter: str, report: Path) -> None:
    """Add figures to the card of a starter."""
    card = find_card(STARTERS / starter)
    found = json.loads(report.read_text(encoding="utf-8"))
    figures = {name: round(value, 3) for name, value in found.items()}
    replace(card, figures=card.figures | figures).write(STARTERS / starter)


def average(folder: Path, models: Sequence[str]) -> None:
    """Save the mean of several networks' weights, which must be runs of one beginning.

    Wortsman et al.: Model soups: averaging weights of multiple fine-tuned models improves accuracy
    without increasing inference time. ICML (2022).
    """
    network, *others = (load_model(model) for model in models)
    states = [network.state_dict(), *(other.state_dict() for other in others)]
    mean = {
        key: sum(state[key] for state in states) / len(states)
        if value.is_floating_point()
        else value
        for key, value in states[0].items()
    }
    network.load_state_dict(mean)
    save_model(network, replace(find_card(models[0]), folder=None), folder)


def main() -> None:
    what, first, *rest = sys.argv[1:]
    if what == "pairs":
        copy_pairs(Path(first), Path(rest[0]))
    elif what == "stacks":
        add_figures(first, Path(rest[0]))
    elif what == "average":
        average(Path(first), rest)
    else:
        install(what, Path(first), Path(rest[0]))


if __name__ == "__main__":
    main()
