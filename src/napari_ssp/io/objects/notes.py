"""Notes beside a file of labels: how they were made, what was decided and what objects are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from napari_ssp.atomic import write_text
from napari_ssp.io.scene import is_labels_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Ends of the names of such files; what is before them is the whole name of the labels'.
PROVENANCE_SUFFIX = ".provenance.json"
DECISIONS_SUFFIX, EXAMPLES_SUFFIX = ".review.json", ".classes.json"

#: Keys of a provenance: when somebody changed the labels last, and edits by the flows.
CORRECTED_KEY, EDITS_KEY = "corrected", "edits"


def is_note(path: Path) -> bool:
    """Whether a name is that of a note."""
    return path.name.endswith((PROVENANCE_SUFFIX, DECISIONS_SUFFIX, EXAMPLES_SUFFIX))


def write_provenance(labels: Path, record: Mapping[str, Any] | None) -> Path | None:
    """Write the provenance of labels beside their file; without one, that of others is removed.

    Labels inside an OME-Zarr get none: beside them is the inside of the image.
    """
    if is_labels_name(labels):
        return None
    beside = labels.with_name(labels.name + PROVENANCE_SUFFIX)
    if not record:
        beside.unlink(missing_ok=True)
        return None
    write_text(beside, json.dumps(record, ensure_ascii=False, indent=1) + "\n")
    return beside


def read_provenance(labels: Path) -> dict[str, Any]:
    """Read the provenance beside a file of labels; empty where there is none, or nothing of use."""
    try:
        text = labels.with_name(labels.name + PROVENANCE_SUFFIX).read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def is_corrected(labels: Path) -> bool:
    """Whether somebody has changed the labels of a file since they were made, as its note says."""
    return bool({CORRECTED_KEY, EDITS_KEY} & set(read_provenance(labels)))


def renew_provenance(labels: Path, record: Mapping[str, Any]) -> None:
    """Write the provenance of labels that were made anew, where their file has that of others."""
    if labels.with_name(labels.name + PROVENANCE_SUFFIX).exists():
        write_provenance(labels, record)
