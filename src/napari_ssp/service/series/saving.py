"""Labels of a series' image, saved while a person corrects them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.io import read_label_image
from napari_ssp.io.objects.notes import CORRECTED_KEY, EDITS_KEY, write_provenance
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.annotation.training_set import write_annotated
from napari_ssp.service.measuring import digest_labels
from napari_ssp.service.requests import Request
from napari_ssp.service.review.beside import forget_objects, has_notes, moved_numbers
from napari_ssp.service.series.listing import FAULTS
from napari_ssp.service.series.segmenting import write_flows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.service.results import Segmentation


class LabelFile:
    """A file of labels that are on display, written only where they differ from what it holds.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    digest : str
        `digest_labels` of what it holds; empty where nothing is there yet.
    edits : sequence of dict
        Records of edits that were made before the labels were opened.
    """

    def __init__(self, path: Path, digest: str = "", edits: Sequence[Any] = ()) -> None:
        self.path = path
        self.digest = digest
        self._edits = list(edits)
        self._flows: Any = None

    def save(
        self, labels: MicroscopyImage, record: Mapping[str, Any], found: Segmentation | None
    ) -> None:
        """Write labels, their provenance, and flows; what replaces others is marked as corrected.

        Labels without objects that nobody segmented are none yet. What was said about an object is
        forgotten where one that lies elsewhere has its number.
        """
        digest = digest_labels(labels)
        is_new = not self.digest
        if digest == self.digest or (is_new and not record and not np.any(labels.data)):
            return
        if found is not None and found.flows is not self._flows:
            write_flows(found, self.path)
            self._flows = found.flows
        moved = self._moved_numbers(labels)
        write_annotated(self.path, labels)
        forget_objects(self.path, moved)
        edits = [*self._edits, *record.get(EDITS_KEY, ())]
        known = {**record, **({EDITS_KEY: edits} if edits else {})}
        if not is_new:
            known[CORRECTED_KEY] = datetime.now(UTC).isoformat(timespec="seconds")
        write_provenance(self.path, known)
        self.digest = digest

    def _moved_numbers(self, labels: MicroscopyImage) -> frozenset[int]:
        """Numbers that other objects have than those that something was said about."""
        if not self.digest or not has_notes(self.path):
            return frozenset()
        try:
            before = read_label_image(self.path)
        except FAULTS:  # it was taken away meanwhile, and labels are to be saved all the same
            return frozenset()
        return moved_numbers(np.asarray(before.data).squeeze(), np.asarray(labels.data).squeeze())


@dataclass(frozen=True, eq=False)
class SaveLabelsRequest(Request[None]):
    """Save labels.

    Attributes
    ----------
    file : LabelFile
        Where to.
    labels : MicroscopyImage
        As they are now.
    record : mapping
        Provenance of the labels, with the edits since they were opened.
    found : Segmentation or None
        The result that the labels are of, where a dock keeps it.
    """

    file: LabelFile
    labels: MicroscopyImage
    record: Mapping[str, Any]
    found: Segmentation | None = None


def save_steps(request: SaveLabelsRequest) -> Steps[None]:
    """Save labels.

    Raises
    ------
    TypeError, ValueError, OSError
        As `napari_ssp.io.write_labels`.
    """
    yield Progress("saving the labels")
    request.file.save(request.labels, request.record, request.found)
