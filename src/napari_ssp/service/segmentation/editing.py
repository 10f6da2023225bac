"""Edits of objects by the flows: of a labels layer, and again of labels by other thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.flows.editing.edit import Edit, Gesture, Outputs
from napari_ssp.io import read_image
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import PACKAGE, STUDENT
from napari_ssp.service.network_outputs import read_outputs
from napari_ssp.service.requests import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_ssp.service.results import Segmentation


@dataclass(frozen=True)
class RecordedEdit:
    """A gesture and where it was made, as provenance keeps it.

    Attributes
    ----------
    gesture : Gesture
        What was asked for.
    plane : tuple of int
        (t, z) in the labels; 0 where they have no such axis.
    """

    gesture: Gesture
    plane: tuple[int, int] = (0, 0)

    def as_record(self, applied: bool = True) -> dict[str, Any]:
        """JSON-ready record; not ``applied`` is one that found nothing to act on."""
        t, z = self.plane
        gesture = self.gesture
        return {
            "edit": gesture.tool.value,
            "points": [list(point) for point in gesture.points],
            "pixels": gesture.pixels,
            "through": gesture.through,
            "t": t,
            "z": z,
            "applied": applied,
        }


#: Recorded edits in their order, with what they changed; None where they found nothing to act on.
Edits = tuple[tuple[RecordedEdit, Edit | None], ...]


@dataclass(frozen=True, eq=False)
class EditRequest(Request["Edit"]):
    """Work out what an edit changes in labels; they stay as they are.

    Attributes
    ----------
    recorded : RecordedEdit
        What to do, and where.
    labels : array
        Integers, axes as ``axes``.
    axes : str
        A part of "tzyx", in any order.
    found : Segmentation, pathlib.Path or None
        Result of a network on the same pixels, or a file of its flows and probability.
    """

    recorded: RecordedEdit
    labels: Any
    axes: str
    found: Segmentation | Path | None = None


def edit_steps(request: EditRequest) -> Steps[Edit]:
    """Work out an edit, whose box has planes, rows and columns of the stack.

    Raises
    ------
    ValueError
        When it cannot be done there.
    """
    from napari_ssp.flows.editing.stacks import edit_stack  # compiles

    yield Progress("editing")
    (t, z), found = request.recorded.plane, request.found
    stack = stack_of(request.labels, request.axes, t)

    def outputs_of(k: int) -> Outputs | None:
        if isinstance(found, Path):
            return _stored_outputs(found, stack.shape[1:], t, k)
        return None if found is None else plane_outputs(found, t, k)

    number = int(np.max(request.labels)) + 1
    return edit_stack(request.recorded.gesture, stack, z, outputs_of, number)


def edit_again(
    labels: NDArray[np.uint32], found: Segmentation, recorded: Sequence[RecordedEdit]
) -> Edits:
    """Make recorded edits in other labels of a segmentation, in their order, in place."""
    from napari_ssp.flows.editing.stacks import edit_stack

    number = int(labels.max(initial=0)) + 1 if recorded else 1
    edits: list[tuple[RecordedEdit, Edit | None]] = []
    for each in recorded:
        t, z = each.plane
        stack = stack_of(labels, found.axes, t)
        try:
            edit = edit_stack(each.gesture, stack, z, partial(plane_outputs, found, t), number)
        except ValueError:
            edits.append((each, None))
            continue
        edit.apply(stack)
        number = max(number, max(edit.objects) + 1)
        edits.append((each, edit))
    return tuple(edits)


def record_edits(edits: Edits) -> dict[str, Any]:
    """Part of a provenance that tells of edits; empty without any."""
    rows = [each.as_record(edit is not None) for each, edit in edits]
    return {"edits": rows} if rows else {}


def stack_of(array: Any, axes: str, t: int) -> Any:
    """Stack (Z, Y, X) of an array with axes of "tzyx" in any order; a view, where it can be one."""
    stack = array[tuple(t if letter == "t" else slice(None) for letter in axes)]
    left = axes.replace("t", "")
    if "z" not in left:
        stack, left = stack[None], f"z{left}"
    return stack.transpose([left.index(letter) for letter in "zyx"])


def plane_outputs(found: Segmentation, t: int, z: int) -> Outputs | None:
    """Flows in a plane, and probability; None of models without flows.

    The flows of 3D objects have their part along z left out: in a plane they meet, too.
    """
    if not has_flows(found):
        return None
    threshold = found.provenance.get("request", {}).get("cell_threshold") or 0.5
    place: tuple[Any, ...] = tuple({"t": t, "z": z}[letter] for letter in found.axes[:-2])
    flows, probability = found.flows[(slice(-2, None), *place)], found.cell_probability[place]
    return Outputs(flows, probability, float(threshold))


def _stored_outputs(path: Path, shape: tuple[int, ...], t: int, z: int) -> Outputs:
    """Flows and probability of a plane from their file."""
    flows, probability = read_outputs(read_image(path), t, z)
    if probability.shape != shape:
        raise ValueError(
            f"'{path.name}' beside the labels has planes of {probability.shape} pixels, but the "
            f"labels have {shape}. Move it away, or segment the image again."
        )
    return Outputs(flows, probability)


def has_flows(found: Segmentation) -> bool:
    """Whether the model has flows; some packages and students have none."""
    family = found.provenance.get("model", {}).get("family")
    return family not in (PACKAGE, STUDENT) or bool(np.any(found.flows[:, ..., ::8, ::8]))
