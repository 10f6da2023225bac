"""The critic beside the model: after a run it reviews the labels, and its map lies on them."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_ssp.registry import find_critic
from napari_ssp.widgets.docks.messages import error_line, is_expected
from napari_ssp.widgets.layers.alignment import image_under
from napari_ssp.widgets.layers.layer_state import LayerState, lost_reason
from napari_ssp.widgets.review.choices import ReviewChoices
from napari_ssp.widgets.review.error_layer import ErrorLayers, Reviewed, make_ready
from napari_ssp.widgets.review.layer_request import layer_request
from napari_ssp.widgets.review.sentences import review_line

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Labels

    from napari_ssp.widgets.docks.job_dock import JobDock
    from napari_ssp.widgets.segment.choices import SegmentChoices
    from napari_ssp.widgets.segment.results import Prepared

_LOG = logging.getLogger(__name__)
_NOBODY = "No error map: no installed critic knows results of '{model}'."
_TAKEN = (
    "The error map was of the labels before and was taken away; the Review dock makes a new one."
)


class CriticBeside(QObject):
    """Reviews the labels that a run has just made, as a further run of the dock.

    Whatever becomes of the review, the labels stay.

    Parameters
    ----------
    viewer : napari.Viewer
        Where labels and image are.
    dock : JobDock
        Its controller does the review, and its panel says what came of it.
    """

    def __init__(self, viewer: napari.Viewer, dock: JobDock) -> None:
        super().__init__(dock)
        self._viewer, self._panel, self._controller = viewer, dock.panel, dock.controller
        self._maps = ErrorLayers(viewer)
        self._states: tuple[LayerState, ...] = ()
        self._said = ""  # about the labels
        self._is_at_work = False
        self._controller.started.connect(self._stop)
        self._controller.stopped.connect(self._stop)

    @property
    def is_at_work(self) -> bool:
        """Whether labels are being reviewed."""
        return self._is_at_work

    def review(self, found: Prepared, choices: SegmentChoices, labels: Labels, image: Image) -> str:
        """Begin the review of labels.

        Parameters
        ----------
        found : Prepared
            What the run has found.
        choices : SegmentChoices
            Of the run.
        labels, image : napari.layers.Labels, napari.layers.Image
            The layer that shows it, and the one that it was made from.

        Returns
        -------
        str
            Why there is no review; empty where one has begun.
        """
        self._maps.take_away(labels)
        model = found.provenance["model"]["name"]
        if find_critic(model) is None:  # another model than the chosen one took over
            return _NOBODY.format(model=model)
        asked = ReviewChoices(channel=choices.channel, device=choices.device)
        try:
            request = layer_request(asked, image_under(image, labels), labels)
        except (ValueError, TypeError) as error:  # the layer was given other axes meanwhile
            return f"No error map: {error_line(error)}"
        self._states = LayerState(labels), LayerState(image)
        prepare = partial(make_ready, before=labels.features)
        self._controller.start(request, self._show, prepare, noun="review")
        self._is_at_work = True
        return ""

    def remember(self, line: str) -> None:
        """Remember what was found, to be said again when the review has ended."""
        self._said = line

    def take_away(self, labels: Labels | None) -> str:
        """Take away the map of labels that are others by now; returns what is to be said of it."""
        return _TAKEN if labels is not None and self._maps.take_away(labels) else ""

    def has_lost_labels(self) -> bool:
        """Whether the labels that are being reviewed have been removed."""
        return self._is_at_work and self._states[0].layer not in self._viewer.layers

    def say_cancelled(self) -> None:
        """Say that there is no error map, since somebody did not want to wait."""
        self._end("it was cancelled.")

    def say_failed(self, error: BaseException | None) -> None:
        """Say why the review has failed."""
        line = error_line(error)
        level = logging.DEBUG if is_expected(error) else logging.ERROR
        _LOG.log(level, "Review failed: %s", line, exc_info=error)
        self._end(line)

    def _end(self, reason: str) -> None:
        self._is_at_work = False
        self._say(f"No error map: {reason}", "warning")

    def _say(self, text: str, kind: str = "info") -> None:
        """Say what became of the labels, and of which layer they are where that is not plain."""
        self._panel.set_message(f"{self._controller.spec.about()}{self._said} {text}", kind)

    def _stop(self) -> None:
        """Know that the review, if there was one, is over: cancelled, or another run began."""
        self._is_at_work = False

    def _show(self, value: Reviewed) -> None:
        lost = lost_reason(self._states, self._viewer, "review")
        if lost is not None:
            self._end(lost)
            return
        self._maps.show(value, self._states[0].layer)
        self._is_at_work = False
        self._say(review_line(value.review))
