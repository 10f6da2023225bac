"""Picture of how well a critic's predictions agree with the truth: two plots in a PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.service.review.judging import Judgement

_BLUE, _GREY = "#0072b2", "#999999"


def write_picture(path: Path, found: Judgement) -> None:
    """Write the reliability diagram of pixels, and the errors of objects as predicted and true.

    An earlier picture is replaced.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes a while to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_reliability(left, found)
    _draw_objects(right, found)
    with atomic_path(path, overwrite=True) as temporary:
        FigureCanvasAgg(figure).print_png(temporary)  # type: ignore[no-untyped-call]


def _draw_reliability(axes: Any, found: Judgement) -> None:
    table = found.pixels
    filled = table.counts > 0
    share = table.counts / max(int(table.counts.sum()), 1)
    axes.bar(
        table.edges[:-1],
        share,
        np.diff(table.edges),
        align="edge",
        color=_GREY,
        alpha=0.4,
        label="share of the pixels",
    )
    axes.plot([0, 1], [0, 1], "--", color=_GREY, label="perfect")
    axes.plot(table.confidence[filled], table.frequency[filled], "o-", color=_BLUE, label="critic")
    ece, mce = table.expected_calibration_error, table.maximum_calibration_error
    axes.set(
        title=f"Pixels: ECE {ece:.3f}, MCE {mce:.3f}",
        xlabel="predicted probability of an error",
        ylabel="share that is wrong",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axes.legend(loc="upper left")


def _draw_objects(axes: Any, found: Judgement) -> None:
    objects = found.objects
    axes.scatter(objects.true, objects.predicted, s=6, alpha=0.4, color=_BLUE, linewidths=0)
    axes.plot([0, 1], [0, 1], "--", color=_GREY)
    rank = objects.scores()["spearman"]
    axes.set(
        title=f"{objects.true.size} objects: Spearman {rank:.2f}",
        xlabel="true error, 1 - IoU",
        ylabel="predicted error",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
    )
