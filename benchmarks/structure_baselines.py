"""What predicting structures is worth: a model against two baselines on a field it never saw.

The real pairs of FOLDER, as ``python scripts/starter_model.py pairs DATA FOLDER`` writes them:
its tables say what of each structure is learned from, and what is held out.

* blurred: the transmitted light, inverted and blurred by a Gaussian; its sigma is the best one on
  the training images.
* filters: ridge regression on local filters of several scales (Gaussian, derivatives, Laplacian of
  Gaussian, gradient magnitude, local standard deviation); of a projected target on the mean,
  maximum, minimum and spread along z of each. The ridge is chosen by leaving training images out,
  of a single one each half.
* model: ``napari_ssp.predict_structures`` with ``--model``, by its projection along z where the
  target is one.

    python benchmarks/structure_baselines.py FOLDER --model repmode-starter --json structures.json

Pearson correlation with the measured fluorescence, mean over the held-out images. Bar: the model is
above both baselines for every structure; the exit code says whether it holds.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tifffile
from scipy import ndimage

from napari_ssp.metrics import structure_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

SCALES = (0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
SIGMAS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


class Pair(NamedTuple):
    """Raw and z-scored transmitted light, z-scored fluorescence (a plane if it is a projection)."""

    raw: NDArray[Any]
    signal: Array
    target: Array


def scored(array: NDArray[Any]) -> Array:
    values = array.astype(np.float64)
    return ((values - values.mean()) / values.std()).astype(np.float32)


def read_pairs(data: Path) -> dict[str, tuple[list[Pair], list[Pair]]]:
    """Task to its training and its held-out pairs, of all tables of a folder."""
    found: dict[str, tuple[list[Pair], list[Pair]]] = defaultdict(lambda: ([], []))
    for table in sorted(data.glob("*.csv")):
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                raw, target = (tifffile.imread(data / row[role]) for role in ("signal", "target"))
                pair = Pair(raw, scored(raw), scored(target))
                found[row["task"]][row["split"] == "test"].append(pair)
    return dict(found)


def correlation(truth: Array, prediction: Array) -> float:
    """Pearson correlation; a stack is projected to its maximum where the truth is a plane."""
    if truth.ndim < prediction.ndim:
        prediction = prediction.max(axis=0)
    return float(np.corrcoef(truth.ravel(), prediction.ravel())[0, 1])


def mean_score(pairs: Sequence[Pair], predict: Callable[[Pair], Array]) -> float:
    return float(np.mean([correlation(pair.target, predict(pair)) for pair in pairs]))


def blurred(train: Sequence[Pair], test: Sequence[Pair]) -> tuple[float, str]:
    def predictor(sigma: float) -> Callable[[Pair], Array]:
        return lambda pair: -ndimage.gaussian_filter(pair.signal, sigma)

    best = max(SIGMAS, key=lambda sigma: mean_score(train, predictor(sigma)))
    return mean_score(test, predictor(best)), f"sigma {best:g}"


def features(pair: Pair) -> Array:
    """Filter responses, one per row, the last one constant."""
    responses = [pair.signal]
    for scale in SCALES:
        smooth = ndimage.gaussian_filter(pair.signal, scale)
        square = ndimage.gaussian_filter(pair.signal**2, scale)
        slopes = np.gradient(smooth)
        responses += [
            smooth,
            ndimage.gaussian_laplace(pair.signal, scale),
            *slopes,
            np.sqrt(sum(slope**2 for slope in slopes)),
            np.sqrt(np.maximum(square - smooth**2, 0)),
        ]
    if pair.target.ndim < pair.signal.ndim:
        along_z = (np.mean, np.max, np.min, np.std)
        responses = [reduce(stack, axis=0) for stack in responses for reduce in along_z]
    return np.stack([*responses, np.ones_like(responses[0])]).astype(np.float32)


def filters(train: Sequence[Pair], test: Sequence[Pair]) -> tuple[float, str]:
    if len(train) == 1:
        train = _halves(train[0])
    known = [features(pair) for pair in train]
    sums = [_moments(x, pair.target) for x, pair in zip(known, train, strict=True)]

    def left_out(ridge: float) -> float:
        scores = []
        for k, (x, pair) in enumerate(zip(known, train, strict=True)):
            weights = _solve([s for j, s in enumerate(sums) if j != k], ridge)
            scores.append(correlation(pair.target, np.tensordot(weights, x, 1)))
        return float(np.mean(scores))

    best = max(RIDGES, key=left_out)
    weights = _solve(sums, best)
    found = mean_score(test, lambda pair: np.tensordot(weights, features(pair), 1))
    return found, f"ridge {best:g}"


def _halves(pair: Pair) -> list[Pair]:
    middle = pair.raw.shape[-1] // 2
    return [
        Pair(*(array[..., part] for array in pair))
        for part in (slice(0, middle), slice(middle, None))
    ]


def _moments(x: Array, y: Array) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    columns = x.reshape(len(x), -1).astype(np.float64)
    return columns @ columns.T, columns @ y.ravel().astype(np.float64), y.size


def _solve(sums: Sequence[tuple[Any, Any, int]], ridge: float) -> NDArray[np.float64]:
    """Weights of standardised features, so that one ridge suits all of them."""
    products, targets = sum(s[0] for s in sums), sum(s[1] for s in sums)
    size = np.sqrt(np.diag(products))
    matrix = products / np.outer(size, size) + ridge / len(size) * np.eye(len(size))
    return np.asarray(np.linalg.solve(matrix, targets / size) / size)


def model_scores(model: str, task: str, test: Sequence[Pair]) -> dict[str, float]:
    """All scores of a model on z-scored values, mean over images."""
    import napari_ssp

    found: dict[str, list[float]] = defaultdict(list)
    for pair in test:
        axes = "zyx"[-pair.raw.ndim :]
        made = napari_ssp.predict_structures(pair.raw, task, model, axes=axes)[task]
        shown = made.max(axis=0) if pair.target.ndim < made.ndim else made
        for name, value in structure_metrics(pair.target, shown).items():
            found[name].append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def report(data: Path, model: str | None, tasks: Sequence[str]) -> dict[str, Any]:
    """Measure all methods, printing a table as it goes."""
    result: dict[str, Any] = {"pcc": {}, "choices": {}, "model": {}, "images": {}}
    for task, (train, test) in read_pairs(data).items():
        if tasks and task not in tasks:
            continue
        scores, choices = {}, {}
        for name, method in (("blurred", blurred), ("filters", filters)):
            scores[name], choices[name] = method(train, test)
        if model:
            result["model"][task] = model_scores(model, task, test)
            scores["model"] = result["model"][task]["pcc"]
        result["pcc"][task], result["choices"][task] = scores, choices
        result["images"][task] = {"train": len(train), "held out": len(test)}
        words = "  ".join(
            f"{name} {value:.3f}" + (f" ({choices[name]})" if name in choices else "")
            for name, value in scores.items()
        )
        print(f"{task:10} {words}", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="FOLDER")
    parser.add_argument("--model", help="name or folder of a model; without it the baselines only")
    parser.add_argument("--task", action="append", default=[], help="only this structure")
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    found = report(words.data, words.model, words.task)
    if words.json:
        words.json.parent.mkdir(parents=True, exist_ok=True)
        words.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    below = [
        task
        for task, scores in found["pcc"].items()
        if words.model and scores["model"] <= max(scores["blurred"], scores["filters"])
    ]
    if below:
        sys.exit(f"The model is not above both baselines for: {', '.join(below)}.")


if __name__ == "__main__":
    main()
