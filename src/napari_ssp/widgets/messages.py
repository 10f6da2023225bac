"""Sentences for a person about how a run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_ssp.service import Thresholds
    from napari_ssp.widgets.predict_results import PreparedStructures
    from napari_ssp.widgets.results import Prepared

# Errors of these types are ours or the system's, and their message is meant to be read.
_SPOKEN = (ValueError, TypeError, OSError, MemoryError, RuntimeError)
_LONGEST = 400
_MOST_LINES = 10


def is_expected(error: BaseException | None) -> bool:
    """Tell whether an error's own message is meant for a person."""
    return isinstance(error, _SPOKEN)


def error_line(error: BaseException | None) -> str:
    """Say in one line what went wrong; never a traceback."""
    lines = str(error or "").strip().splitlines()
    text = lines[0][:_LONGEST] if lines else type(error).__name__
    if is_expected(error):
        return text
    return f"Unexpected error ({type(error).__name__}): {text}"


def obstacle_lines(error: BaseException) -> str:
    """Say why nothing can be started, with the list of what is wrong where there is one."""
    lines = str(error).strip().splitlines()[1:]
    more = [f"  … and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    return "\n".join([error_line(error), *(line[:_LONGEST] for line in lines[:_MOST_LINES]), *more])


def result_line(prepared: Prepared) -> str:
    """Say what was found and how long it took."""
    seconds = f"{prepared.provenance['seconds']:.1f} s"
    if prepared.num_objects == 0:
        return (
            f"No cells found ({seconds}). Try a lower cell threshold or minimum size, another "
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
    return f"Found {count_line(prepared.num_objects)} in {seconds}.{extra if kept else ''}"


def count_line(count: int) -> str:
    """Say how many cells there are."""
    return f"{count} {'cell' if count == 1 else 'cells'}"


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


def prediction_line(prepared: PreparedStructures, plane: int | None = None) -> str:
    """Say what was predicted, how long it took, and where to look.

    Parameters
    ----------
    prepared : PreparedStructures
        The prediction.
    plane : int or None
        Plane on display, or None when there is no single one.
    """
    *names, last = prepared.images
    listed = f"{', '.join(names)} and {last}" if names else last
    line = f"Predicted {listed} in {prepared.provenance['seconds']:.1f} s."
    first = prepared.origin[1]
    end = first + len(prepared.images[last])
    if plane is None or first <= plane < end:
        return line
    where = f"plane {first}" if end == first + 1 else f"planes {first} to {end - 1}"
    return f"{line} It lies in {where}; the slider stands at {plane}."
