"""Classification of the objects of labels by examples, and its result."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp import measure
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.classes.examples import Example, Examples, object_keys
from napari_ssp.service.classes.forest import ENOUGH, common_features, feature_names, predict
from napari_ssp.service.measuring import digest_labels
from napari_ssp.service.requests import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_ssp.image import MicroscopyImage
    from napari_ssp.measure import Table

#: Columns of a table of classified objects.
CLASS, PROBABILITY, GIVEN = "class", "class_probability", "class_given"
CLASS_COLUMNS = (CLASS, PROBABILITY, GIVEN)
#: Most objects that a sentence names.
_LISTED = 8


@dataclass(frozen=True, eq=False)
class Classes:
    """Objects with their classes.

    Attributes
    ----------
    table : dict of str to numpy.ndarray
        As `measure_objects` returns it, one row per object (and frame, or plane), and ``class``,
        "" where it is not known; ``class_probability``, the share of the forest's trees, 1 of an
        example; ``class_given``, 1 of an example and 0 of what is predicted.
    examples : Examples
        Those that were learnt, with what was measured of them.
    recognised : mapping of str to float
        Share of the examples of each class that are recognised when they are left out; empty where
        there are too few to say.
    digest : str
        `digest_labels` of the labels.
    warnings : tuple of str
        What the user should know before trusting the result.
    """

    table: Table
    examples: Examples
    recognised: Mapping[str, float] = field(default_factory=dict)
    digest: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def measured(self) -> Table:
        """What was measured of the objects."""
        return {name: column for name, column in self.table.items() if name not in CLASS_COLUMNS}

    @property
    def colors(self) -> dict[str, str]:
        """Color of each class, as "#rrggbb"."""
        return {each.name: each.color for each in self.examples.classes}

    def count(self) -> Counter[str]:
        """How many objects each class has, examples among them."""
        return Counter(name for name in self.table[CLASS].tolist() if name)

    def count_examples(self) -> Counter[str]:
        """How many examples each class was learnt from."""
        return Counter(row.class_name for row in self.examples.rows if row.values)

    def summary(self) -> str:
        """Say how many objects there are of each class, and how far that can be trusted."""
        count, examples = self.count(), self.count_examples()
        found = ", ".join(f"{count[each.name]} {each.name}" for each in self.examples.classes)
        if len(examples) < 2:
            return (
                f"Examples so far: {examples.total()}. The other objects are predicted once two "
                "classes have some."
            )
        return f"{found} (from {examples.total()} examples). {self._trust()}"

    def _trust(self) -> str:
        if not self.recognised:
            few = [f"{name} has {n}" for name, n in self.count_examples().items() if n < ENOUGH]
            return (
                f"Too few examples to say how good this is: {ENOUGH} of each class are needed"
                f"{' (' + ', '.join(few) + ')' if few else ''}."
            )
        mean = float(np.mean(list(self.recognised.values())))
        worst = min(self.recognised, key=lambda name: self.recognised[name])
        rest = (
            f", the mean of the classes; {worst} least, {self.recognised[worst]:.0%}"
            if mean < 1
            else ""
        )
        return f"When left out, {mean:.0%} of the examples are recognised{rest}."


@dataclass(frozen=True, eq=False)
class ClassifyRequest(Request[Classes]):
    """Give all objects the classes of a few examples.

    Attributes
    ----------
    labels : MicroscopyImage
        Label image.
    examples : Examples
        Those of another image, as their digest says, are learnt by what was measured of them.
    image : MicroscopyImage or None
        Intensities to tell objects apart by, of as many frames, planes, rows and columns.
    planewise : bool
        Measure planes of a stack one by one.
    many_objects : bool
        Measure also what looks like an image in place of labels.
    known : Classes or None
        An earlier result of the same image and labels: measured again only if a pixel differs.
    """

    labels: MicroscopyImage
    examples: Examples
    image: MicroscopyImage | None = None
    planewise: bool = False
    many_objects: bool = False
    known: Classes | None = None


def classify_steps(request: ClassifyRequest) -> Steps[Classes]:
    """Measure objects, learn their classes from the examples and predict the others.

    The same labels, image and examples give the same result.

    Raises
    ------
    ManyObjectsError
        When the labels look like an image, and that was not agreed to.
    ValueError
        When the examples have nothing in common with what was measured, or are of no object of
        the labels.
    """
    yield Progress("looking at the labels")
    digest = digest_labels(request.labels)
    if request.known is not None and request.known.digest == digest:
        table = request.known.measured
    else:
        table = yield from _measure(request)
    yield Progress("learning classes")
    examples = request.examples.of_labels(digest).measured(table, feature_names(table))
    return _classify(table, examples, digest, _missing(examples))


def _measure(request: ClassifyRequest) -> Steps[Table]:
    if not request.many_objects:
        measure.check_objects(request.labels)
    return (
        yield from measure.measure_steps(request.labels, request.image, planewise=request.planewise)
    )


def _missing(examples: Examples) -> list[str]:
    """Say which examples the labels have no object for.

    Raises
    ------
    ValueError
        When these are all.
    """
    missing = sorted(row.key for row in examples.rows if row.key is not None and not row.values)
    if not missing:
        return []
    shown = ", ".join(map(str, missing[:_LISTED])) + (", ..." if missing[_LISTED:] else "")
    line = f"{len(missing)} examples are of objects that the labels do not have: {shown}."
    if len(missing) == len(examples.rows):
        raise ValueError(f"{line} These are all; give examples of these labels.")
    return [line]


def _classify(table: Table, examples: Examples, digest: str, warnings: list[str]) -> Classes:
    keys = object_keys(table)
    names = np.full(len(keys), "", object)
    probability = np.full(len(keys), np.nan)
    recognised: Mapping[str, float] = {}
    learnt = [row for row in examples.rows if row.values]
    if len({row.class_name for row in learnt}) > 1 and keys:
        features = common_features(table, learnt)
        warnings = warnings + _left_out(table, learnt, features)
        found = predict(learnt, table, features)
        names, probability, recognised = found.names, found.probability, found.recognised
    given = examples.given
    is_given = np.array([key in given for key in keys], bool)
    names[is_given] = [given[key] for key in keys if key in given]
    probability[is_given] = 1.0
    columns: dict[str, Any] = {
        CLASS: names,
        PROBABILITY: probability,
        GIVEN: is_given.astype(np.int64),
    }
    return Classes(table | columns, examples, recognised, digest, tuple(warnings))


def _left_out(table: Table, learnt: list[Example], features: list[str]) -> list[str]:
    """Say which measurements do not count, because examples or labels lack them."""
    own = feature_names(table)
    theirs = list(dict.fromkeys(name for row in learnt for name in row.values))
    lines = []
    for names, who in ((own, "some examples lack"), (theirs, "these labels were measured without")):
        if missing := [name for name in names if name not in features]:
            lines.append(
                f"Classes are told apart by {len(features)} of {len(names)} measurements, because "
                f"{who} the others: {', '.join(missing[:8])}{' ...' if missing[8:] else ''}."
            )
    return lines
