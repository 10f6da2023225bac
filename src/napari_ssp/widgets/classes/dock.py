"""The Classes dock: a few objects get a class by a key or a click, the others are predicted."""

from __future__ import annotations

from functools import partialmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtWidgets import QFileDialog

from napari_ssp.io.layer_attributes import METADATA_KEY
from napari_ssp.measure import row_axes
from napari_ssp.service import Examples, JobState
from napari_ssp.service.classes.files import LearnExamplesRequest
from napari_ssp.service.review.decisions import ObjectKey
from napari_ssp.widgets.classes.classifier import Classifier
from napari_ssp.widgets.classes.colours import ClassColours
from napari_ssp.widgets.classes.keeper import ExampleKeeper
from napari_ssp.widgets.classes.keys import CLASS_KEYS
from napari_ssp.widgets.classes.panel import ClassesPanel
from napari_ssp.widgets.compare.comparing import list_object_labels
from napari_ssp.widgets.docks.dock_widget import DockWidget
from napari_ssp.widgets.docks.messages import error_line
from napari_ssp.widgets.docks.runner import Runner
from napari_ssp.widgets.docks.viewer_watch import ViewerWatch, own_viewer
from napari_ssp.widgets.edit.strokes import Strokes
from napari_ssp.widgets.layers.alignment import image_under, lies_on
from napari_ssp.widgets.layers.images import full_level, layer_axes, layer_image, plane_obstacle
from napari_ssp.widgets.layers.object_classes import remember_classes
from napari_ssp.widgets.layers.replacements import replacements
from napari_ssp.widgets.measure.freshness import MEASURED_KEY, is_outdated, note_measured
from napari_ssp.widgets.measure.object_place import layer_origin

if TYPE_CHECKING:
    import napari
    from numpy.typing import NDArray

    from napari_ssp.progress import Progress
    from napari_ssp.service import Classes
    from napari_ssp.service.classes.examples import ObjectClass
    from napari_ssp.widgets.classes.classifier import Classified
    from napari_ssp.widgets.docks.relay import Outcome

_NO_LABELS = (
    "There are no labels whose objects could get classes. Segment an image first, or open a label "
    "image and choose 'Convert to Labels' in the layer's menu."
)
_NO_OBJECT = "There is no object of '{name}' here."
#: Classes that a list begins with.
_BEGIN = Examples().add_class("cell").add_class("debris", is_wrong=True)
_HAND = "pan_zoom"  # the mode in which napari draws nothing


class ClassesDock(DockWidget):
    """Gives the objects of a viewer's labels layers classes, by a few examples.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Where the layers are.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self._viewer = own_viewer(napari_viewer)
        self.panel = ClassesPanel()
        self.labels_box, self.image_box = self.panel.labels_box, self.panel.image_box
        self.keeper, self.classifier = ExampleKeeper(self), Classifier(self._viewer, self)
        self.strokes = Strokes(self._viewer, self._target, self)
        self._learner = Runner(parent=self)
        self._colours = ClassColours()
        self._begin = _BEGIN
        self._before: list[Examples] = []
        self._coloured: Any = None
        self._shown: Classes | None = None
        self._layer: Labels | None = None
        self._taken: Any = None
        self.add(self.panel)
        self._connect()
        self._watch = ViewerWatch(
            self._viewer, self._update_layers, self._follow_selection, self._show_colours
        )
        self.destroyed.connect(self._watch.close)
        self._update_layers()
        self._follow_selection()
        self._follow_labels()

    @property
    def is_settled(self) -> bool:
        """Whether all examples are kept, and all that they teach is shown."""
        return self.keeper.is_settled and self.classifier.is_settled

    @property
    def examples(self) -> Examples:
        """Classes and examples of the chosen labels; without any, what others begin with."""
        return self.keeper.examples if self.keeper.examples.classes else self._begin

    def give(self, number: int) -> None:
        """Give the object under the pointer the class of a number, from 1, as its key does."""
        classes, layer = self.examples.classes, self._layer
        if layer is None or not self.panel.give_button.isChecked():
            return
        if number > len(classes):
            self._warn(f"There is no class {number}. Add it to the list first.")
            return
        self._give(layer, layer.world_to_data(self._viewer.cursor.position), classes[number - 1])

    give_1 = partialmethod(give, 1)
    give_2 = partialmethod(give, 2)
    give_3 = partialmethod(give, 3)
    give_4 = partialmethod(give, 4)
    give_5 = partialmethod(give, 5)
    give_6 = partialmethod(give, 6)
    give_7 = partialmethod(give, 7)
    give_8 = partialmethod(give, 8)
    give_9 = partialmethod(give, 9)

    def undo(self) -> None:
        """Take the last example, or change of the classes, back."""
        if self._before:
            self._set(self._before.pop())
            self._say("Taken back.")

    def learn(self, path: str | Path) -> None:
        """Add the examples of a file, also those of another image."""
        if self._layer is not None:
            self._learner.start(LearnExamplesRequest(Path(path), layer_image(self._layer)))

    def _give(self, layer: Labels, point: Any, wanted: ObjectClass) -> None:
        key = _object_at(layer, point, self._is_planewise())
        if key is None:
            self._warn(_NO_OBJECT.format(name=layer.name))
            return
        self._change(self.examples.give(key, wanted.name))
        self._say(f"Object {key.label} is {wanted.name}.")

    def _change(self, examples: Examples) -> None:
        """Go on with other examples; the ones before can be had back."""
        self._before.append(self.examples)
        self._set(examples)

    def _set(self, examples: Examples) -> None:
        self.keeper.change(examples)
        self._show_examples()
        self.classifier.classify(examples)

    def _show_examples(self) -> None:
        self.panel.list.set_classes(self.examples)
        self.panel.list.set_found({} if self._shown is None else self._shown.count())
        self.panel.undo_button.setEnabled(bool(self._before))

    def _forget_replaced(self, layer: Labels) -> None:
        """Take classes away of labels that have other pixels by now, and predict them anew."""
        if layer is not self._layer:
            return
        self._before, self._shown = [], None
        self._show_colours()
        self._show_found()

    def _show_found(self) -> None:
        """Show what was known of the layer before."""
        self._show_examples()
        if self.examples.rows:
            self.classifier.classify(self.examples)

    def _show_classes(self, found: Classified) -> None:
        layer, classes = found.layer, found.classes
        self._shown = classes
        # The values go with the examples, which may have become more meanwhile.
        layer.features = found.features
        if layer.metadata.get(MEASURED_KEY) != classes.digest or is_outdated(layer):
            note_measured(layer, classes.digest)  # else columns of the table before stay
        remember_classes(layer, classes.examples.classes)
        if classes.examples.rows != self.examples.rows:
            self.keeper.change(classes.examples)
        self._show_examples()
        self._show_colours()
        self._say(" ".join((classes.summary(), *classes.warnings)))

    def _show_colours(self) -> None:
        """Colour objects of what is on display, or give them their own colours."""
        layer = self._layer
        if layer is None or self._shown is None or not self.panel.colour_box.isChecked():
            self._colours.restore(layer)
            self._coloured = None
            return
        place = _place(layer, layer.world_to_data(self._viewer.dims.point))
        if self._coloured != (self._shown, place):  # and not whenever the camera moves
            self._colours.show(layer, self._shown, place)
            self._coloured = (self._shown, place)

    def _add_class(self) -> None:
        names = {each.name for each in self.examples.classes}
        free = (f"class {n}" for n in range(len(names) + 1, 2 * len(names) + 2))
        name = next(each for each in free if each not in names)
        self._change(self.examples.add_class(name))
        self.panel.list.choose(name)

    def _remove_class(self, name: str) -> None:
        self._change(self.examples.remove_class(name))

    def _edit_class(self, name: str, changed: ObjectClass) -> None:
        try:
            self._change(self.examples.change_class(name, changed))
        except ValueError as error:
            self._show_examples()
            self._warn(error_line(error))

    def _take_learnt(self, outcome: Outcome) -> None:
        if outcome.state is JobState.FAILED:
            self._warn(error_line(outcome.error))
        elif outcome.state is JobState.DONE:
            self._change(self.examples.joined(outcome.value))
            self._say(f"Read {len(outcome.value.rows)} examples.")

    def _ask_file(self) -> None:
        text, _ = QFileDialog.getOpenFileName(
            self,
            "Examples of another image",
            "",
            "Examples of classes (*.classes.json *.json *.csv)",
        )
        if text:
            self.learn(text)

    def _target(self) -> tuple[Labels, bool] | None:
        """Layer that is clicked on; never by lines."""
        layer = self._layer
        if layer is None or not self.panel.give_button.isChecked():
            return None
        obstacle = plane_obstacle(layer, self._viewer, "Giving classes")
        if obstacle is not None:
            self._warn(obstacle)
            return None
        return layer, False

    def _click(self, layer: Labels, points: NDArray[Any]) -> None:
        name = self.panel.list.chosen()
        wanted = next((each for each in self.examples.classes if each.name == name), None)
        if wanted is not None:
            self._give(layer, points[0], wanted)

    def _update_layers(self) -> None:
        labels = list_object_labels(self._viewer)
        self.labels_box.set_choices([(layer.name, layer) for layer in labels])
        self._offer_images()
        if not labels:
            self._warn(_NO_LABELS)

    def _offer_images(self) -> None:
        """Offer the images that lie under the labels."""
        labels = self.labels_box.value()
        images: list[tuple[str, Any]] = [("none", None)]
        if labels is not None:
            known = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
            known = [layer for layer in known if METADATA_KEY not in layer.metadata]
            images += [(layer.name, layer) for layer in known if lies_on(labels, layer)]
        self.image_box.set_choices(images)

    def _follow_selection(self) -> None:
        active = self._viewer.layers.selection.active
        if active is not None and active in self.labels_box:
            self.labels_box.set_value(active)
        self._take_keys()

    def _follow_labels(self) -> None:
        """Turn to the chosen labels: their image, and the examples that were given of them."""
        layer = self.labels_box.value()
        if layer is self._layer:
            return
        self._leave_layer()
        self._layer = layer
        self._before, self._shown, self._coloured = [], None, None
        self.keeper.follow(layer)
        self._offer_images()
        fitting = [each for each in self.image_box.values() if each is not None]
        if fitting:
            self.image_box.set_value(fitting[0])
        if layer is not None:
            for emitter in (layer.events.paint, layer.events.data):
                emitter.connect(self._look_again)
            layer.events.mode.connect(self._follow_mode)
            self.panel.planewise.setVisible(layer_image(layer).sizes.get("z", 1) > 1)
            self._say("")
        self._follow_image()
        self._toggle_giving(self.panel.give_button.isChecked())

    def _follow_image(self) -> None:
        """Measure the chosen image from now on."""
        layer, image = self._layer, self.image_box.value()
        is_fit = layer is not None and image is not None and lies_on(layer, image)
        part = image_under(image, layer) if layer is not None and is_fit else None
        self.classifier.follow(layer, part, self._is_planewise())
        self._look_again()

    def _look_again(self, event: Any = None) -> None:
        """Predict anew, e.g. after a stroke of the brush; what was not measured waits for that."""
        if self.examples.rows or self.panel.give_button.isChecked():
            self.classifier.classify(self.examples)

    def _is_planewise(self) -> bool:
        return self.panel.planewise.isChecked() and not self.panel.planewise.isHidden()

    def _toggle_giving(self, is_giving: bool) -> None:
        """Let keys and clicks give classes, or not any more."""
        self.panel.set_hint(is_giving)
        if is_giving and self._layer is not None:
            self.strokes.take()
            self._viewer.layers.selection.active = self._layer
            self._layer.mode = _HAND
            if self._shown is None:
                self._look_again()  # measured while the first object is looked for
        self._take_keys()

    def _take_keys(self) -> None:
        """Let the selected layer's keys be those of the classes, while they are given."""
        active = (
            self._viewer.layers.selection.active if self.panel.give_button.isChecked() else None
        )
        if active is self._taken:
            return
        if self._taken is not None:
            CLASS_KEYS.give_back(self._taken)
        if active is not None:
            CLASS_KEYS.take(self._viewer, active)
        self._taken = active

    def _follow_mode(self, event: Any = None) -> None:
        """Give no more classes while one of napari's tools is chosen."""
        if self._layer is not None and self._layer.mode != _HAND:
            self._put_away()

    def _put_away(self) -> None:
        self.panel.give_button.setChecked(False)

    def _show_progress(self, progress: Progress) -> None:
        if self._shown is None:
            self._say(f"{progress.stage} …")

    def _say(self, text: str) -> None:
        self.panel.message.say(text)

    def _warn(self, text: str) -> None:
        self.panel.message.say(text, "warning")

    def _say_failed(self, error: BaseException | None) -> None:
        self._warn(error_line(error))

    def _leave_layer(self) -> None:
        layer = self._layer
        if layer is not None:
            learnt = self.examples.of_another_image()
            is_giving = self.panel.give_button.isChecked()  # as in the next image of a series
            self._begin = learnt if is_giving else Examples(learnt.classes)
            self._colours.restore(layer)
            for emitter in (layer.events.paint, layer.events.data):
                emitter.disconnect(self._look_again)
            layer.events.mode.disconnect(self._follow_mode)
        self._layer = None

    def _leave(self) -> None:
        CLASS_KEYS.forget(self._viewer, self)
        self._put_away()
        self._watch.close()
        self.strokes.close()
        self.classifier.close()
        self._learner.cancel()
        self.keeper.close()
        self._leave_layer()

    def _connect(self) -> None:
        panel = self.panel
        CLASS_KEYS.listen(self._viewer, self)
        self.labels_box.currentIndexChanged.connect(self._follow_labels)
        self.image_box.currentIndexChanged.connect(self._follow_image)
        panel.planewise.toggled.connect(self._follow_image)
        panel.list.add_clicked.connect(self._add_class)
        panel.list.remove_clicked.connect(self._remove_class)
        panel.list.edited.connect(self._edit_class)
        panel.give_button.toggled.connect(self._toggle_giving)
        panel.undo_button.clicked.connect(self.undo)
        panel.colour_box.toggled.connect(self._show_colours)
        panel.learn_button.clicked.connect(self._ask_file)
        self.keeper.changed.connect(self._show_found)
        self.keeper.failed.connect(self._say_failed)
        self.classifier.done.connect(self._show_classes)
        self.classifier.progressed.connect(self._show_progress)
        self.classifier.failed.connect(self._warn)
        self.strokes.drawn.connect(self._click)
        self.strokes.lost.connect(self._put_away)
        self._learner.ended.connect(self._take_learnt)
        self.left.connect(self._leave)
        replacements().done.connect(self._forget_replaced)


def _object_at(layer: Labels, point: Any, planewise: bool) -> ObjectKey | None:
    """Object at a point of a layer's pixels; None beside all objects."""
    place = np.round(np.asarray(point)).astype(int)
    data = full_level(layer)
    if not ((place >= 0) & (place < data.shape)).all():
        return None
    label = int(np.asarray(data[tuple(place)]))
    if label <= 0:
        return None
    own = row_axes(layer_image(layer), planewise)
    return ObjectKey(label, **{a: i for a, i in _place(layer, place).items() if a in own})


def _place(layer: Labels, point: Any) -> dict[str, int]:
    """Frame and plane of a point of a layer's pixels, as tables count them."""
    found = dict(zip(layer_axes(layer), np.round(np.asarray(point)).astype(int), strict=True))
    return {axis: int(found.get(axis, 0)) + layer_origin(layer)[axis] for axis in "tz"}
