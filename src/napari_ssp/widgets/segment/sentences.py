"""Sentences of the Segment dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ssp.registry import STUDENT
from napari_ssp.service.results import COVER_LITTLE, FELL_BACK, MAGNIFIED, NOTHING_TO_SEE

if TYPE_CHECKING:
    from napari_ssp.service import Edits, Thresholds
    from napari_ssp.widgets.segment.results import Prepared
    from napari_ssp.widgets.segment.stored_result import StoredResult

#: What families find that do not look for cells.
_NOUNS = {STUDENT: "object"}


def result_line(prepared: Prepared) -> str:
    """Say what was found and how long it took."""
    seconds = f"{prepared.provenance['seconds']:.1f} s"
    noun = _NOUNS.get(prepared.provenance["model"]["family"], "cell")
    warnings = prepared.segmentation.warnings
    if prepared.num_objects == 0:
        blank = [line for line in warnings if line.startswith(NOTHING_TO_SEE)]
        if blank:
            return f"No {noun}s found ({seconds}). {blank[0]}"
        return (
            f"No {noun}s found ({seconds}). Try a lower cell threshold or minimum size, another "
            "channel or another model."
        )
    kept = [
        name
        for name, array in (("flow", prepared.flows), ("cell-probability", prepared.probability))
        if array is not None
    ]
    extra = (
        f" The {' and '.join(kept)} layer{'s are' if len(kept) > 1 else ' is'} below the labels."
    )
    said = [line for line in warnings if line.startswith((COVER_LITTLE, MAGNIFIED, FELL_BACK))]
    parts = [
        f"Found {count_line(prepared.num_objects, noun)} in {seconds}.{extra if kept else ''}",
        *said,
    ]
    return " ".join(parts)


def written_line(stored: StoredResult) -> str:
    """Say what was found, and where it was written."""
    result = stored.result
    found = count_line(result.count, "cell")
    told = (NOTHING_TO_SEE, COVER_LITTLE, FELL_BACK)
    said = [line for line in result.warnings if line.startswith(told)]
    first = f"Found {found} in {result.provenance['seconds']:.1f} s, written to '{result.path}'."
    return " ".join([first, *said])


def count_line(count: int, noun: str = "cell") -> str:
    """Say how many cells, or other objects, there are."""
    return f"{count} {noun if count == 1 else f'{noun}s'}"


def edits_line(edits: Edits) -> str:
    """Say that edits by hand are in the labels, and which are not."""
    idle = [each.gesture for each, edit in edits if edit is None]
    if idle:
        places = "; ".join(f"{g.tool} at y {g.points[0][0]}, x {g.points[0][1]}" for g in idle)
        return f" Without effect in these labels, of {len(edits)} edits: {places}."
    if not edits:
        return ""
    return " Your edit is kept." if len(edits) == 1 else f" Your {len(edits)} edits are kept."


def size_line(diameter: float) -> str:
    """Say what a first look at the image proposes."""
    return (
        f"The objects seem to be about {diameter:.0f} px across. Compare a run with this diameter "
        "with one at the model's own size: what it learned at its own magnification it finds "
        "better there."
    )


def committed_line(name: str, chosen: Thresholds) -> str:
    """Say what was kept, and by which thresholds."""
    flow = f"flow threshold {chosen.flow_threshold:g}" if chosen.flow_threshold else "no flow check"
    return (
        f"Kept '{name}': cell threshold {chosen.cell_threshold:g}, {flow}, minimum size "
        f"{chosen.min_size} px, holes below {chosen.hole_size} px filled. Another change makes a "
        "new layer."
    )
