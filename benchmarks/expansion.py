"""The three conditions of a student at toy scale, and expansion without its gate.

    python benchmarks/expansion.py --data ../shared/data/em_mito --output runs

Each labelled image that shows mitochondria is halved and cut into quarters: two are learned from,
one is held out for the gate, one is tested, so that all kinds of tissue are in all three. Students
and teachers are small, and see 64 x 64 pixels. For each seed:

teachers     two critics on corrupted masks, with different random numbers
baseline     a student on masks alone
joint        the same student together with the first critic
expansion    the baseline, expanded by a committee: both critics, and the one of 'joint'
ungated      as 'expansion', but nothing stops it, and its last weights count
labels only  as 'ungated', but the committee counts nothing: what more steps alone do
published    as published: unlabelled images alone, logits for masks, nothing stops it

The scores are those of the published system, over all pixels of the tested quarters; the table of
calibration has its 15 bins. Both are written as ``expansion.json`` and printed as Markdown.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_ssp.engine import prepare_torch
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image
from napari_ssp.progress import run
from napari_ssp.registry import load_model
from napari_ssp.service.training.expansion.images import read_mask_images
from napari_ssp.service.training.expansion.plan import MASK_PLANNER
from napari_ssp.service.training.expansion.requests import (
    TrainExpansionRequest,
    TrainStudentRequest,
    TrainTeacherRequest,
)
from napari_ssp.service.training.expansion.seeds import summarise
from napari_ssp.service.training.steps import train_steps
from napari_ssp.training.expansion.batches import CropSettings, ExpansionBatches
from napari_ssp.training.expansion.losses import judge
from napari_ssp.training.expansion.scores import predict_probability, score_student
from napari_ssp.training.expansion.variation import VARIATIONS
from napari_ssp.training.loop import LoopSettings, TrainingRun, fit
from napari_ssp.training.scored_images import ScoredImages

if TYPE_CHECKING:
    from napari_ssp.metrics.calibration import ReliabilityTable
    from napari_ssp.service.training.expansion.images import MaskImages
    from napari_ssp.service.training.expansion.requests import MaskTraining

SIDE, BATCH = 64, 4
STUDENT = {"architecture": "vit", "size": SIDE, "width": 96, "depth": 3, "heads": 4}
CRITIC = {"architecture": "critic", "size": SIDE, "width": 8, "depth": 3}
CONDITIONS = ("baseline", "joint", "expansion", "ungated", "labels only", "published")


def cut_quarters(source: Path, target: Path) -> Path:
    """Write the quarters of all images with mitochondria, halved, into folders of their split."""
    paths = sorted((source / "labelled" / "images").glob("*.png"))
    masks = [source / "labelled" / "masks" / f"{path.stem}_mask.png" for path in paths]
    shown = [(p, m) for p, m in zip(paths, masks, strict=True) if read_image(m).plane().any()]
    for k, (path, mask_path) in enumerate(shown):
        pixels, mask = read_image(path).plane(), read_image(mask_path).plane() > 0
        quarters = [(_quarter(pixels, n), _quarter(mask, n)) for n in range(4)]
        quarters.sort(key=lambda pair: float(pair[1].mean()), reverse=True)
        splits = ("train", "val", "test", "train") if k % 2 else ("train", "test", "val", "train")
        for number, (split, (part, inside)) in enumerate(zip(splits, quarters, strict=True)):
            _write(target / split / "images" / f"{path.stem}-{number}.tif", part)
            _write(target / split / "masks" / f"{path.stem}-{number}.tif", inside > 0.5)
    return target


def _quarter(plane: Any, number: int) -> Any:
    """Quarter of a plane, at half its resolution."""
    y, x = (n // 4 * 2 for n in plane.shape)
    row, column = divmod(number, 2)
    part = plane[row * y : (row + 1) * y, column * x : (column + 1) * x].astype(np.float32)
    return part.reshape(y // 2, 2, x // 2, 2).mean(axis=(1, 3))


def _write(path: Path, plane: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = plane * np.uint8(255) if plane.dtype == bool else np.round(plane)
    write_image(path, MicroscopyImage(levels.astype(np.uint8), "yx"), overwrite=True)


def halve_unlabelled(source: Path, target: Path) -> Path:
    """Write all planes without masks at half their resolution."""
    for path in sorted(source.iterdir()):
        image = read_image(path)
        for t, z in image.planes():
            plane = image.plane(t, z)
            y, x = (n // 2 * 2 for n in plane.shape[:2])
            grey = plane[:y, :x].reshape(y, x, -1).mean(axis=2)
            halved = grey.reshape(y // 2, 2, x // 2, 2).mean(axis=(1, 3))
            _write(target / f"{path.stem}-{z}.tif", halved)
    return target


def train(request: MaskTraining) -> Path:
    """Train, and say how long it took."""
    began = time.monotonic()
    run(train_steps(request))
    print(f"{request.output.name}: {time.monotonic() - began:.0f} s", flush=True)
    return request.output


class Toy:
    """One seed's runs.

    Parameters
    ----------
    data, unlabelled, output : pathlib.Path
        Quarters, images without masks, and where the runs go.
    seed : int
        Start of the random numbers.
    choices : argparse.Namespace
        How long to train.
    """

    def __init__(
        self, data: Path, unlabelled: Path, output: Path, seed: int, choices: argparse.Namespace
    ) -> None:
        self.data, self.unlabelled, self.output = data, unlabelled, output / f"seed-{seed}"
        self.seed, self.choices = seed, choices

    def _common(self, name: str, seed: int | None = None) -> dict[str, Any]:
        return {
            "data": (self.data,),
            "output": self.output / name,
            "seed": self.seed if seed is None else seed,
            "install": "never",
            "device": self.choices.device,
            "batch_size": BATCH,
            "variation": "none",
        }

    def teacher(self, number: int) -> Path:
        """Train a critic on corrupted masks."""
        common = self._common(f"teacher-{number}", self.seed + 1000 * number)
        steps = self.choices.teacher_steps
        return train(TrainTeacherRequest(epochs=None, steps=steps, **CRITIC, **common))

    def student(self, name: str, teacher: Path | None = None) -> Path:
        """Train a student, together with a teacher where there is one."""
        request = TrainStudentRequest(
            epochs=None,
            steps=self.choices.steps,
            learning_rate=self.choices.student_rate,
            teacher=None if teacher is None else str(teacher),
            **STUDENT,
            **self._common(name),
        )
        return train(request)

    def expansion(self, name: str, base: Path, teachers: list[Path], **more: Any) -> Path:
        """Expand a student."""
        request = TrainExpansionRequest(
            base=str(base),
            teachers=tuple(map(str, teachers)),
            unlabelled=(self.unlabelled,),
            epochs=self.choices.passes,
            learning_rate=self.choices.rate,
            **self._common(name),
            **more,
        )
        return train(request)

    def published(self, base: Path, teachers: list[Path]) -> torch.nn.Module:
        """Train on unlabelled images alone, by what the teachers say of logits."""
        images = self._images(base, teachers)
        crops = CropSettings(SIDE, BATCH, self.seed, VARIATIONS["none"])
        judges = [load_model(path).requires_grad_(False) for path in teachers]
        settings = LoopSettings(
            steps=self.choices.passes * -(-len(images.unlabelled) // BATCH),
            minutes=60.0,
            optimiser="radam",
            schedule="steps",
            learning_rate=self.choices.rate,
            weight_decay=0.0,
            smoothing=0.0,
        )
        folder = self.output / "published"
        folder.mkdir(parents=True, exist_ok=True)
        loss = partial(_only_what_teachers_say, judges)
        training = TrainingRun(load_model(base), loss, settings, folder)
        batches = ExpansionBatches(images.training, images.unlabelled, crops)
        return run(fit(training, batches, _nothing))

    def _images(self, base: Path, teachers: list[Path]) -> MaskImages:
        request = TrainExpansionRequest(
            base=str(base),
            teachers=tuple(map(str, teachers)),
            unlabelled=(self.unlabelled,),
            **self._common("published"),
        )
        self.output.mkdir(parents=True, exist_ok=True)
        return run(read_mask_images(MASK_PLANNER.find_files(request, None), request))


def _only_what_teachers_say(teachers: list[torch.nn.Module], *batch: Any) -> torch.Tensor:
    logits, images, _truth, _counted, labelled = batch
    return judge(teachers, images[~labelled], logits[~labelled]).mean()


def _nothing(_: torch.nn.Module) -> Any:
    yield from ()
    return {}


def run_seed(toy: Toy) -> dict[str, torch.nn.Module]:
    """Students of all conditions, by name."""
    teachers = [toy.teacher(number) for number in range(2)]
    baseline = toy.student("baseline")
    joint = toy.student("joint", teachers[0])
    committee = [*teachers, joint / "teacher"]
    ungated = toy.expansion("ungated", baseline, committee, slack=1.0)
    labels_only = toy.expansion("labels-only", baseline, committee, slack=1.0, weight=0.0)
    return {
        "baseline": load_model(baseline),
        "joint": load_model(joint),
        "expansion": load_model(toy.expansion("expansion", baseline, committee)),
        "ungated": _last(ungated),
        "labels only": _last(labels_only),
        "published": toy.published(baseline, committee),
    }


def _last(path: Path) -> torch.nn.Module:
    """Network at the end of a run, whether it was the best or not."""
    network = load_model(path)
    state = torch.load(path / "checkpoint.pt", weights_only=True, map_location="cpu")
    network.load_state_dict(state["network"])
    return network.eval()


def test_images(data: Path, output: Path) -> Any:
    """Tested quarters, normalised as the others."""
    request = TrainStudentRequest((data / "test",), output, validation=(data / "test",))
    return run(read_mask_images(MASK_PLANNER.find_files(request, None), request)).validation


def calibration(student: torch.nn.Module, images: Any) -> ReliabilityTable:
    """Reliability of all pixels together."""
    from napari_ssp.metrics.calibration import reliability_table

    tables = [
        reliability_table(run(predict_probability(student, image, SIDE)), image.labels > 0)
        for image in images
    ]
    total = tables[0]
    for table in tables[1:]:
        total = total + table
    return total


def main() -> None:
    choices = _choices()
    prepare_torch()
    torch.set_num_threads(1)
    data = cut_quarters(choices.data, choices.output / "data")
    unlabelled = halve_unlabelled(choices.data / "unlabelled", choices.output / "unlabelled")
    tested = test_images(data, choices.output)
    scores: dict[str, dict[int, dict[str, float]]] = {name: {} for name in CONDITIONS}
    bins: dict[str, ReliabilityTable] = {}
    for seed in choices.seed:
        toy = Toy(data, unlabelled, choices.output, seed, choices)
        for name, student in run_seed(toy).items():
            scores[name][seed] = run(score_student(student, ScoredImages(tested), SIDE))
            table = calibration(student, tested)
            bins[name] = bins[name] + table if name in bins else table
            print(seed, name, scores[name][seed], flush=True)
        _report(choices.output, scores, bins)


def _report(output: Path, scores: dict[str, Any], bins: dict[str, ReliabilityTable]) -> None:
    summary = {}
    print("\n| condition | accuracy | IoU | ECE | MCE |\n|---|---|---|---|---|")
    for name, by_seed in scores.items():
        folder = output / "scores" / name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        summary[name] = summarise(by_seed, folder)
        cells = [f"{summary[name][key]['mean']:.4f} ± {summary[name][key]['std']:.4f}"
                 for key in ("accuracy", "iou", "ece", "mce")]  # fmt: skip
        print(f"| {name} | {' | '.join(cells)} |")
    names = list(bins)
    print(f"\n| confidence | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for k in range(15):
        rows = [(bins[name].frequency[k], bins[name].confidence[k]) for name in names]
        cells = [f"{true:.3f} ({said:.3f})" for true, said in rows]
        print(f"| {k / 15:.2f} to {(k + 1) / 15:.2f} | {' | '.join(cells)} |")
    written = {
        "scores": scores,
        "summary": summary,
        "frequency": {name: table.frequency.tolist() for name, table in bins.items()},
        "confidence": {name: table.confidence.tolist() for name, table in bins.items()},
    }
    (output / "expansion.json").write_text(json.dumps(written, indent=1))


def _choices() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder em_mito")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, nargs="+", default=[3, 4, 13])
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--teacher-steps", type=int, default=300)
    parser.add_argument("--passes", type=int, default=40)
    parser.add_argument("--student-rate", type=float, default=5e-3)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
