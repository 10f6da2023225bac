"""Plan of a segmentation of cells and nuclei."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ssp.service.segmentation.plan import SegmentPlan, plan_segmentation

if TYPE_CHECKING:
    from napari_ssp.service.compartments.requests import CompartmentsRequest


@dataclass(frozen=True, eq=False)
class CompartmentsPlan:
    """A segmentation of cells and nuclei with every choice made.

    Attributes
    ----------
    cells, nuclei : SegmentPlan
        Of both runs.
    """

    cells: SegmentPlan
    nuclei: SegmentPlan

    @property
    def summary(self) -> str:
        """One line for the user."""
        runs = {"Cells": self.cells, "nuclei": self.nuclei}
        return "; ".join(f"{noun} by {run.card.name}: {run.summary}" for noun, run in runs.items())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before trusting the result."""
        return tuple(dict.fromkeys((*self.cells.warnings, *self.nuclei.warnings)))

    @property
    def room(self) -> tuple[int, ...]:
        """Bytes of the arrays that are worked in: of both runs, clipped nuclei and cytoplasm."""
        labels = 4 * len(self.cells.planes) * math.prod(self.cells.shape)
        return *self.cells.room, *self.nuclei.room, labels, labels


def plan_compartments(request: CompartmentsRequest) -> CompartmentsPlan:
    """Make every choice of both runs, and refuse what cannot be done.

    Raises
    ------
    FileNotFoundError
        When the image's file or a model is missing.
    ValueError
        When one makes 3D objects and the other one those of planes, or as `plan_segmentation`.
    """
    plan = CompartmentsPlan(plan_segmentation(request.cells), plan_segmentation(request.nuclei))
    in_3d = {one.card.name: one.volume is not None for one in (plan.cells, plan.nuclei)}
    if len(set(in_3d.values())) > 1:
        words = ", ".join(f"'{name}' {'3D' if is_3d else 'flat'}" for name, is_3d in in_3d.items())
        raise ValueError(
            f"Cells and nuclei must both be 3D objects, or both objects of planes: {words}. Choose "
            "stacks 'volume', or two models of one kind."
        )
    return plan
