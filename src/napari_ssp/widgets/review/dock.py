"""The Review dock: labels and their image in, an error map and a list of objects out."""

from __future__ import annotations

import weakref
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.registry import CRITIC, list_cards
from napari_ssp.service.review.decisions import Decision
from napari_ssp.service.review.object_table import wrong_first
from napari_ssp.service.review.ranking import RankFolderRequest
from napari_ssp.widgets.compare.comparing import list_object_labels
from napari_ssp.widgets.docks.file_opening import reader_of
from napari_ssp.widgets.docks.job_controller import JobController, JobSpec, Proposal
from napari_ssp.widgets.docks.job_dock import JobDock
from napari_ssp.widgets.docks.label_watch import LabelWatch, PartsButton
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.model_news import model_news
from napari_ssp.widgets.docks.open_dock import open_dock
from napari_ssp.widgets.docks.run_panel import RunPanel
from napari_ssp.widgets.docks.shared_service import preferred_choices
from napari_ssp.widgets.docks.viewer_watch import own_viewer
from napari_ssp.widgets.forms.wrapped_label import SmallPrint
from napari_ssp.widgets.layers.alignment import image_under, lies_on
from napari_ssp.widgets.layers.images import channel_choices
from napari_ssp.widgets.layers.layer_state import LayerState, lost_reason
from napari_ssp.widgets.layers.object_classes import wrong_objects
from napari_ssp.widgets.layers.replacements import replacements
from napari_ssp.widgets.review.error_layer import ErrorLayers, Reviewed, make_ready
from napari_ssp.widgets.review.folder_list import FolderList
from napari_ssp.widgets.review.form import ReviewForm
from napari_ssp.widgets.review.keeper import DecisionKeeper
from napari_ssp.widgets.review.keys import REVIEW_KEYS
from napari_ssp.widgets.review.layer_request import layer_request
from napari_ssp.widgets.review.list_panel import ListPanel
from napari_ssp.widgets.review.sentences import known_line, progress_line, review_line
from napari_ssp.widgets.review.tour import Tour
from napari_ssp.widgets.review.truth_view import TruthCheck, TruthView
from napari_ssp.widgets.train.collect.suggestions import Ground, Suggestions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import napari
    from napari.layers import Labels

    from napari_ssp.service import ModelService, Review
    from napari_ssp.service.review.decisions import ObjectKey
    from napari_ssp.service.review.ranking import FolderRanking, RankedImage

_EXPLANATION = (
    "A critic looks at the image and at its labels, of any origin, and predicts where they are "
    "wrong. No truth is needed; what it says is a prediction, too."
)
_NO_LABELS = (
    "There are no labels to review. Segment an image first, or open a label image and choose "
    "'Convert to Labels' in the layer's menu."
)
_NO_IMAGE = "Open the image that '{name}' is of, too: the critic compares both."
_REPLACED = (
    "'{name}' has the labels of another run. Decisions about objects that are still the same are "
    "kept. Review again."
)
_NO_CRITIC = "No critic is installed. Look for one in the Models dock."


class ReviewDock(JobDock):
    """Reviews labels layers of a viewer, and keeps what a person decides about their objects.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where layers come from; gets the error map.
    service : ModelService, optional
        Who does the work; docks share one otherwise.
    """

    def __init__(self, napari_viewer: napari.Viewer, service: ModelService | None = None) -> None:
        super().__init__(RunPanel("Predict where the labels are wrong", "Review"))
        self._viewer = own_viewer(napari_viewer)
        self._states: tuple[LayerState, ...] = ()
        self._reviews: weakref.WeakKeyDictionary[Labels, Review] = weakref.WeakKeyDictionary()
        self._wrong: weakref.WeakKeyDictionary[Labels, dict[ObjectKey, str]] = (
            weakref.WeakKeyDictionary()
        )
        self.form = ReviewForm()
        self.labels_box, self.image_box = self.form.labels_box, self.form.image_box
        self.parts_button, self.label_watch = PartsButton(), LabelWatch(self)
        self.list, self.truth_view = ListPanel(), TruthView()
        self.truth_check = TruthCheck(self.truth_view, self)
        self.next_region_button = QPushButton("Where to annotate next")
        self.folder_button = QPushButton("Worst images of a folder…")
        self.folder_list = FolderList()
        self.train_button = QPushButton("Train on what I corrected")
        self.keeper, self._tour = DecisionKeeper(self), Tour(self._viewer)
        self._layers = ErrorLayers(self._viewer)
        ground = Ground(
            self._reviews.get, "Review the labels first.", "the worst first", "predicted error"
        )
        self.regions = Suggestions(self._viewer, self, ground)
        spec = JobSpec("review", self._propose, self._show, self._preparation)
        self.drive(JobController(spec, service, self), self._viewer)
        self._lay_out()
        self._connect()
        self.refresh_models()
        self.form.begin_with(preferred_choices("errors"))
        self.watch(self._viewer, self._update_layers, self._follow_selection)
        self._follow_labels()

    def showEvent(self, event: Any) -> None:
        """Take over what the Classes dock has said about the objects meanwhile."""
        super().showEvent(event)
        self._take_classes()

    def refresh_models(self) -> None:
        """Look again which critics are installed."""
        cards = [card for card in list_cards() if card.family == CRITIC]
        self.form.set_models([(card.name, card.description) for card in cards])

    def choose_model(self, name: str) -> None:
        """Choose a critic, also one that was installed a moment ago."""
        self.refresh_models()
        self.form.change(model=name)

    def show_next(self) -> None:
        """Go to the next object of the list, as the button does."""
        self._go(self.list.row() + 1)

    def show_previous(self) -> None:
        """Go to the object before, as the button does."""
        self._go(self.list.row() - 1)

    def accept(self) -> None:
        """Accept the object, and go on to the next without a decision."""
        self._decide(Decision.ACCEPTED)

    def reject(self) -> None:
        """Reject the object, and go on to the next without a decision."""
        self._decide(Decision.REJECTED)

    def edit(self) -> None:
        """Let a person draw the object: its layer gets the brush, with the object's label."""
        self._decide(Decision.EDITED)

    def accept_all(self) -> None:
        """Accept all objects without a decision that the calibration allows."""
        self._keep(dict.fromkeys(self.list.model.keys_to_accept(), Decision.ACCEPTED))

    def show_next_region(self) -> None:
        """Go to the next of the worst regions of the image."""
        self.regions.show_next(self.labels_box.value())

    def rank_folder(self, folder: str = "") -> None:
        """Rank the images of a folder, the worst labels first; asks for one, as the button does."""
        folder = folder or QFileDialog.getExistingDirectory(self, "Images and their labels")
        if folder and self.form.has_critics() and not self.controller.is_running:
            chosen = self.form.value()
            request = RankFolderRequest(Path(folder), chosen.model, chosen.device)
            self.controller.start(request, self._show_ranking, noun="ranking")

    def open_image(self, image: RankedImage) -> None:
        """Open an image of the ranked folder, and its labels."""
        self._viewer.open(image.image, plugin=reader_of(image.image))
        self._viewer.open(image.labels, plugin=reader_of(image.labels), layer_type="labels")

    def train(self) -> None:
        """Hand labels and image over to the Train dock, which collects corrections."""
        labels, image = self.labels_box.value(), self.image_box.value()
        if labels is None or image is None:
            self.list.set_note("Choose labels and their image above first.")
            return
        left = sum(word is Decision.REJECTED for word in self.keeper.decisions.values())
        self._viewer.layers.selection.active = labels  # which the Train dock follows
        open_dock(self._viewer, "Train models").collect(labels, image)
        if left:
            self.panel.set_message(
                f"{left} objects are rejected and not corrected. Correct or erase them: a model "
                "learns the labels as they are.",
                "warning",
            )

    def _propose(self) -> Proposal:
        labels, image = self.labels_box.value(), self.image_box.value()
        if not self.form.has_critics():
            raise ValueError(_NO_CRITIC)
        if labels is None:
            raise ValueError(_NO_LABELS)
        if image is None:
            raise ValueError(_NO_IMAGE.format(name=labels.name))
        part = image_under(image, labels)
        self.form.set_channels(channel_choices(part))
        doubts = self.label_watch.look_at([labels], [image])
        self.parts_button.offer(doubts)
        self.controller.compute_at(self.form.chosen_compute())
        request = layer_request(self.form.value(), part, labels)
        return Proposal(request, warnings=doubts, needs_plan=True)

    def _preparation(self) -> Callable[[Any], Any]:
        labels, image = self.labels_box.value(), self.image_box.value()
        self._states = (LayerState(labels), LayerState(image))
        return partial(make_ready, before=labels.features)

    def _show(self, value: Reviewed) -> None:
        lost = lost_reason(self._states, self._viewer, "review")
        if lost is not None:
            self.panel.set_message(lost, "warning")
            return
        labels = self._states[0].layer
        self._layers.show(value, labels)
        self._reviews[labels] = value.review
        self._wrong.pop(labels, None)
        self._take_classes()
        self.panel.set_message(review_line(value.review))
        if labels is self.labels_box.value():
            self._show_review()
            self._compare()

    def _forget_replaced(self, layer: Labels) -> None:
        """Take the list of labels away that have other pixels by now."""
        if self._reviews.pop(layer, None) is None or layer is not self.labels_box.value():
            return
        self._show_review()
        self._compare()
        self.panel.set_message(_REPLACED.format(name=layer.name), "warning")

    def _show_ranking(self, ranking: FolderRanking) -> None:
        self.folder_list.set_ranking(ranking)
        self.panel.set_message(f"Reviewed {len(ranking.images)} images of the folder.")

    def _show_review(self) -> None:
        """Show the list of the chosen labels, where they were reviewed."""
        review = self._review()
        self.list.set_review(review)
        self.leads.setVisible(review is not None)
        self._tour.clear()
        self._show_decisions()

    def _take_classes(self) -> None:
        """Put objects of wrong classes first in the list of the chosen labels."""
        labels, review = self.labels_box.value(), self._review()
        wrong = {} if labels is None else wrong_objects(labels)
        if review is None or wrong == self._wrong.get(labels, {}):
            return
        row = self.list.row()
        chosen = self.list.model.key(row) if row >= 0 else None
        self._wrong[labels] = wrong
        self._reviews[labels] = replace(review, table=wrong_first(review.table, wrong))
        self._show_review()
        if chosen is not None:
            self.list.choose(self.list.model.row_of(chosen))

    def _compare(self) -> None:
        """Compare what was found with the truth, where one is chosen."""
        labels, review = self.labels_box.value(), self._review()
        if labels is not None and review is not None:
            self.truth_check.start(review, labels, self.form.truth_box.value())
        else:
            self.truth_view.set_judged(None)

    def _show_decisions(self) -> None:
        review = self._review()
        if review is None and self.keeper.decisions and not self.controller.is_running:
            self.panel.set_message(known_line(len(self.keeper.decisions)))
        if review is not None:
            self.list.model.set_decisions(self.keeper.decisions)
            self.list.show_guarantee(review)
            self.list.set_note(progress_line(self.keeper.decisions, review.num_objects))

    def _review(self) -> Review | None:
        labels = self.labels_box.value()
        return None if labels is None else self._reviews.get(labels)

    def _go(self, row: int) -> None:
        count = self.list.model.rowCount()
        if count:
            row = min(max(row, 0), count - 1)
            self.list.choose(row)
            self._visit(row)

    def _visit(self, row: int) -> None:
        labels, review = self.labels_box.value(), self._review()
        if labels is None or review is None or labels not in self._viewer.layers:
            return
        note = self._tour.visit(labels, review, self.list.model.source_row(row))
        if note:
            self.list.set_note(note)

    def _decide(self, decision: Decision) -> None:
        row = self.list.row()
        labels = self.labels_box.value()
        if row < 0 or labels is None or self._review() is None:
            return
        key = self.list.model.key(row)
        self._keep({key: decision})
        if decision is Decision.EDITED:
            self._tour.paint(labels, key.label)
            return
        following = self.list.model.next_undecided(row)
        if following >= 0:
            self._go(following)

    def _keep(self, decisions: Mapping[ObjectKey, Decision]) -> None:
        self.keeper.decide(decisions)
        self._show_decisions()

    def _update_layers(self) -> None:
        labels = list_object_labels(self._viewer)
        self.labels_box.set_choices([(layer.name, layer) for layer in labels])
        others = [(layer.name, layer) for layer in labels]
        self.form.truth_box.set_choices([("none", None), *others])
        self._offer_images()
        self.controller.schedule()

    def _offer_images(self) -> None:
        """Offer the images of the viewer; those that lie under the labels come first."""
        labels = self.labels_box.value()
        images = [x for x in self._viewer.layers if isinstance(x, Image)]
        images = [layer for layer in images if METADATA_KEY not in layer.metadata]
        if labels is not None:
            images.sort(key=lambda layer: not lies_on(labels, layer))
        self.image_box.set_choices([(layer.name, layer) for layer in images])
        chosen = self.image_box.value()
        if labels is not None and images and chosen is not None and not lies_on(labels, chosen):
            self.image_box.set_value(images[0])

    def _follow_selection(self) -> None:
        active = self._viewer.layers.selection.active
        if active is not None and active in self.labels_box:
            self.labels_box.set_value(active)

    def _follow_labels(self) -> None:
        """Turn to the chosen labels: their image, what is known of them, what was decided."""
        self._offer_images()
        self.keeper.follow(self.labels_box.value())
        if not self.controller.is_running:
            self.panel.set_message("")
        self._show_review()
        self._take_classes()
        self._compare()
        self.controller.schedule()

    def _ask_folder(self) -> None:
        self.rank_folder()

    def _leave(self) -> None:
        REVIEW_KEYS.forget(self._viewer, self)
        self.label_watch.close()
        self.regions.close()
        self.truth_check.close()
        self.keeper.close()
        self._tour.clear()

    def _say_failed(self, error: BaseException | None) -> None:
        self.panel.set_message(error_line(error), "warning")

    def _connect(self) -> None:
        self.labels_box.currentIndexChanged.connect(self._follow_labels)
        self.image_box.currentIndexChanged.connect(self.controller.schedule)
        self.form.truth_box.currentIndexChanged.connect(self._compare)
        self.form.changed.connect(self.controller.schedule)
        self.label_watch.looked.connect(self.controller.schedule)
        self.list.picked.connect(self._visit)
        self.list.decided.connect(self._decide)
        self.list.accept_all_clicked.connect(self.accept_all)
        self.keeper.changed.connect(self._show_decisions)
        self.keeper.failed.connect(self._say_failed)
        self.regions.shown.connect(self.list.set_note)
        self.regions.refused.connect(self.list.set_note)
        self.next_region_button.clicked.connect(self.show_next_region)
        self.folder_button.clicked.connect(self._ask_folder)
        self.folder_list.chosen.connect(self.open_image)
        self.train_button.clicked.connect(self.train)
        self.left.connect(self._leave)
        replacements().done.connect(self._forget_replaced)
        model_news().changed.connect(self.refresh_models)
        REVIEW_KEYS.listen(self._viewer, self)
        buttons = {
            "show_next": self.list.next_button,
            "show_previous": self.list.previous_button,
            "accept": self.list.accept_button,
            "reject": self.list.reject_button,
            "edit": self.list.edit_button,
        }
        for method, button in buttons.items():
            button.setToolTip(REVIEW_KEYS.words(method))
        self.list.next_button.clicked.connect(self.show_next)
        self.list.previous_button.clicked.connect(self.show_previous)

    def _lay_out(self) -> None:
        self.leads, row = QWidget(), QHBoxLayout()
        self.leads.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.next_region_button)
        row.addWidget(self.train_button)
        self.next_region_button.setToolTip("Go through the regions of the image, the worst first")
        self.folder_button.setToolTip(
            "Review all images of a folder with their labels, as one to train on"
        )
        self.train_button.setToolTip(
            "Open the Train dock with these labels and their image, to collect corrections"
        )
        self.add(SmallPrint(_EXPLANATION), self.form, self.parts_button, self.panel)
        self.add(self.list, self.leads, self.folder_button, self.folder_list, self.truth_view)
