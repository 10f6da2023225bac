"""One training with several seeds: its requests, and mean and spread of the scores."""

from __future__ import annotations

import csv
import io
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_ssp.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari_ssp.service.training.expansion.requests import MaskTraining

Scores = dict[str, float]
#: Table, in the folder of all seeds, of the scores of each.
SCORES_FILE = "seeds.csv"


def for_seed(request: MaskTraining, seed: int) -> MaskTraining:
    """Request like another with its own seed, folder and name."""
    own: dict[str, Any] = {
        "output": request.output / f"seed-{seed}",
        "name": f"{request.name}-seed-{seed}",
        "machine": replace(request.machine, seed=seed),
    }
    return replace(request, **own)


def summarise(scores: Mapping[int, Scores], folder: Path) -> dict[str, Scores]:
    """Mean and standard deviation, over the seeds themselves, of each score; written as a table.

    Parameters
    ----------
    scores : mapping of int to dict
        By seed.
    folder : pathlib.Path
        Where ``seeds.csv`` goes.

    Returns
    -------
    dict
        By score: ``"mean"`` and ``"std"``.
    """
    names = list(dict.fromkeys(name for row in scores.values() for name in row))
    by_name = {name: [row[name] for row in scores.values() if name in row] for name in names}
    table = {
        name: {"mean": statistics.fmean(values), "std": statistics.pstdev(values)}
        for name, values in by_name.items()
    }
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["seed", *names])
    writer.writerows([seed, *(row.get(name, "") for name in names)] for seed, row in scores.items())
    for kind in ("mean", "std"):
        writer.writerow([kind, *(round(table[name][kind], 6) for name in names)])
    write_text(folder / SCORES_FILE, text.getvalue())
    return table


def describe_scores(table: Mapping[str, Scores]) -> Iterator[str]:
    """Say mean and spread of each score."""
    for name, row in table.items():
        yield f"{name}: {row['mean']:.4f} ± {row['std']:.4f}"
