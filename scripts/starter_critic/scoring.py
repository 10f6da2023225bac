"""Figures of critics on kept back pictures, beside those of simple scores."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.engine import predict_errors
from napari_ssp.labels import number_labels
from napari_ssp.metrics import (
    average_precision,
    calibrate,
    f1_score,
    reliability_table,
    roc_auc,
    spearman,
)
from napari_ssp.progress import run
from napari_ssp.training.critic.errors import image_error, object_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from segmenting import Criticised

    from napari_ssp.metrics import ConformalCalibration
    from napari_ssp.networks import DenseCritic

#: Share of the objects that somebody has time to look at.
REVIEWED = 0.2
#: IoU below which an object is wrong.
WRONG = 0.5
#: Share of wrong objects among the accepted that a calibration promises; draws to see whether.
ACCEPTED, _DRAWS = 0.1, 200


class Table:
    """Scores and true errors of one origin, collected picture by picture."""

    def __init__(self) -> None:
        self.objects: dict[str, list[NDArray[Any]]] = {}
        self.images: dict[str, list[float]] = {}

    def add(self, one: Criticised, critics: dict[str, DenseCritic]) -> None:
        """Ask all critics about a picture, and compare it with the truth."""
        errors = object_errors(one.truth, one.labels)
        ids, _ = number_labels(one.labels)
        scores = dict(one.baselines)
        for name, critic in critics.items():
            asked = {name: None} | (
                {f"{name}, flows": one.agreement} if one.agreement is not None else {}
            )
            for way, agreement in asked.items():
                found = run(predict_errors(critic, one.image, one.labels, agreement=agreement))
                assert (found.objects["label"] == ids).all()
                scores[way] = found.objects["predicted_error"]
                self._add_image(way, found.image)
        for name in one.baselines:
            self._add_image(name, float(scores[name].mean()) if ids.size else 0.0)
        self._add_image("1 - PQ", image_error(one.truth, one.labels))
        f1 = f1_score(one.truth, one.labels)
        self._add_image("1 - F1", 1 - f1 if np.isfinite(f1) else 0.0)
        precision = average_precision(one.truth, one.labels, [0.5, 0.75])
        self._add_image("1 - AP", 1 - float(np.nanmean(precision)))
        known = ~np.isnan(errors)
        for name, values in {**scores, "true": errors}.items():
            self.objects.setdefault(name, []).append(np.asarray(values, np.float64)[known])

    def _add_image(self, name: str, value: float) -> None:
        self.images.setdefault(name, []).append(value)

    def figures(self) -> dict[str, dict[str, float]]:
        """Figures of each score: ranks of objects and images, what a review finds, calibration."""
        true = np.concatenate(self.objects["true"])
        return {
            name: self._figures(name, np.concatenate(values), true)
            for name, values in self.objects.items()
            if name != "true"
        }

    def coverage(self, name: str) -> dict[str, float]:
        """Calibrate on half of the pictures and accept objects of the other half, in many draws.

        ``wrong``: mean share of wrong objects among the accepted, `ACCEPTED` is promised;
        ``accepted``: mean share of the objects.
        """
        rng, shares, accepted = np.random.default_rng(0), [], []
        count = len(self.objects[name])
        for _ in range(_DRAWS):
            drawn = rng.permutation(count)
            known, asked = drawn[: count // 2], drawn[count // 2 :]
            calibration = calibrate(*self._scores_and_wrong(name, known))
            found, wrong = self._scores_and_wrong(name, asked)
            chosen = calibration.accept(found, ACCEPTED)
            accepted.append(chosen.mean())
            shares.append(wrong[chosen].mean() if chosen.any() else 0.0)
        return {
            "wrong": round(float(np.mean(shares)), 4),
            "accepted": round(float(np.mean(accepted)), 4),
        }

    def calibration(self, name: str) -> ConformalCalibration:
        """Calibration on all pictures."""
        return calibrate(*self._scores_and_wrong(name, range(len(self.objects[name]))))

    def _scores_and_wrong(
        self, name: str, pictures: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        scores, errors = (
            np.concatenate([self.objects[key][k] for k in pictures]) for key in (name, "true")
        )
        return scores, errors > 1 - WRONG

    def _figures(
        self, name: str, score: NDArray[np.float64], true: NDArray[np.float64]
    ) -> dict[str, float]:
        wrong = true > 1 - WRONG
        worst = np.argsort(-score, kind="stable")[: round(REVIEWED * score.size)]
        found = {
            "spearman_object": spearman(score, true),
            "caught": float(wrong[worst].sum() / max(wrong.sum(), 1)),
            "auroc": roc_auc(score, wrong),
        }
        for truth in ("1 - PQ", "1 - F1", "1 - AP"):
            found[f"spearman_image {truth}"] = spearman(self.images[name], self.images[truth])
        if score.size and 0 <= score.min() and score.max() <= 1:
            found["mean"] = float(score.mean())
            found["true mean"] = float(true.mean())
            found["ece"] = reliability_table(score, wrong).expected_calibration_error
        return {key: round(value, 4) for key, value in found.items()} | {
            "objects": score.size,
            "wrong": int(wrong.sum()),
            "images": len(self.images[name]),
        }


def compare(pictures: Iterable[Criticised], critics: dict[str, DenseCritic]) -> dict[str, Table]:
    """Tables by origin of the labels."""
    tables: dict[str, Table] = {}
    for one in pictures:
        tables.setdefault(one.origin, Table()).add(one, critics)
    return tables


def seconds_of_both(critic: DenseCritic, model: str) -> tuple[float, float]:
    """Least time of criticising a picture of 1024 x 1024 pixels, and of segmenting it, of three."""
    import napari_ssp as ssp

    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:1024, :1024]
    near = ((rows % 32 - 16) ** 2 + (columns % 32 - 16) ** 2) < 100
    image = (near * 120 + rng.normal(50, 10, near.shape)).astype(np.uint8)
    labels = np.where(near, rows // 32 * 32 + columns // 32 + 1, 0)
    ssp.segment(image[:256, :256], model=model, fallback=False)
    times: tuple[list[float], list[float]] = [], []
    for _ in range(3):
        began = time.process_time()
        run(predict_errors(critic, image, labels))
        between = time.process_time()
        ssp.segment(image, model=model, fallback=False)
        times[0].append(between - began)
        times[1].append(time.process_time() - between)
    return min(times[0]), min(times[1])
