"""Cells, nuclei and cytoplasm: two segmentations, the assignment, and the table of the cells."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.measure import measure_steps
from napari_ssp.measure.compartments import CYTOPLASM, NUCLEUS
from napari_ssp.progress import tell_about
from napari_ssp.service.compartments.assigning import assign_steps
from napari_ssp.service.compartments.requests import Compartments, Tally
from napari_ssp.service.source_image import open_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_ssp.measure import Table
    from napari_ssp.progress import Steps
    from napari_ssp.service.compartments.assigning import Assigned
    from napari_ssp.service.compartments.plan import CompartmentsPlan
    from napari_ssp.service.compartments.requests import CompartmentsRequest
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.results import Plan, Segmentation

    Begin = Callable[[SegmentRequest, Plan | None], Steps[Segmentation]]


def compartments_steps(
    request: CompartmentsRequest, begin: Begin, plan: CompartmentsPlan | None = None
) -> Steps[Compartments]:
    """Segment cells and nuclei, assign nuclei to cells, and measure these.

    Parameters
    ----------
    request : CompartmentsRequest
        What to segment and how.
    begin : callable
        Starts the steps of a segmentation, whose plan may be known.
    plan : CompartmentsPlan or None
        What the request means, where that was found out already.

    Yields
    ------
    Progress
        As of both segmentations, of the assignment and of the measurement, one after the other.
    """
    began = time.monotonic()
    plans = (None, None) if plan is None else (plan.cells, plan.nuclei)
    cells = yield from tell_about("cells", begin(request.cells, plans[0]))
    nuclei = yield from tell_about("nuclei", begin(request.nuclei, plans[1]))
    # Planes that are not linked have objects of their own.
    planewise = request.cells.stacks == "planes" and "z" in cells.axes
    frames = cells.labels.shape[0] if "t" in cells.axes else 1
    assigned = yield from assign_steps(cells.labels, nuclei.labels, frames)
    table = yield from measure_steps(
        cells.image(cells.labels),
        open_image(request.cells),
        planewise=planewise,
        nuclei=cells.image(nuclei.labels),
    )
    tally = _count(table, assigned)
    record = {
        **cells.provenance,
        "nuclei": nuclei.provenance,
        "compartments": asdict(tally),
        "seconds": round(time.monotonic() - began, 3),
    }
    warnings = tuple(dict.fromkeys((*cells.warnings, *nuclei.warnings, *tally.warnings())))
    own: dict[str, Any] = {"provenance": record, "warnings": warnings}
    count = assigned.found - assigned.outside
    clipped = replace(nuclei, labels=assigned.nuclei, count=count, **own)
    return Compartments(replace(cells, **own), clipped, assigned.cytoplasm, table, tally)


def _count(table: Table, assigned: Assigned) -> Tally:
    counts = table["num_nuclei"]
    return Tally(
        cells=counts.size,
        without_nucleus=int(np.count_nonzero(counts == 0)),
        with_several=int(np.count_nonzero(counts > 1)),
        nuclei=assigned.found,
        outside=assigned.outside,
        mostly_nucleus=int(np.count_nonzero(_size(table, NUCLEUS) > _size(table, CYTOPLASM))),
    )


def _size(table: Table, part: str) -> NDArray[np.float64]:
    """Areas or volumes of a compartment of the cells."""
    names = (f"{part}_area", f"{part}_volume")
    return next(values for name, values in table.items() if name.startswith(names))
