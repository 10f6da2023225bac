"""Picture of how well a critic's predictions agree with the truth: two plots as a PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.service.review.judging import Judgement

_BLUE, _GREY = "#0072b2", "#999999"
_SIDE = 4.8  # inches, of each plot


def write_picture(path: Path, found: Judgement) -> None:
    """Write the two plots side by side; an earlier picture is replaced."""
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_bytes(draw_picture(found, columns=2))


def draw_picture(found: Judgement, columns: int) -> bytes:
    """Draw the reliability diagram of pixels, and the errors of objects as predicted and true.

    Parameters
    ----------
    found : Judgement
        What the truth says.
    columns : int
        2 puts the plots side by side, 1 below each other.

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes a while to import
    from matplotlib.figure import Figure

    rows = 2 // columns
    figure = Figure(figsize=(_SIDE * columns, _SIDE * rows), layout="constrained")
    first, second = figure.subplots(rows, columns)
    _draw_reliability(first, found)
    _draw_objects(second, found)
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]
    return file.getvalue()


def _draw_reliability(axes: Any, found: Judgement) -> None:
    table = found.pixels
    filled = table.counts > 0
    share = table.counts / max(int(table.counts.sum()), 1)
    edges, widths = table.edges[:-1], np.diff(table.edges)
    axes.bar(edges, share, widths, align="edge", color=_GREY, alpha=0.4, label="share of pixels")
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
