"""Examples of object classes: objects whose class a person has said, with what was measured."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_ssp.service.review.decisions import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_ssp.measure import Table

#: Okabe and Ito's colours, which colour-blind people tell apart, too; a list begins with them.
COLORS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
    "#f0e442",
    "#a6761d",
    "#ffffff",
)
_COLOR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)


@dataclass(frozen=True)
class ObjectClass:
    """A class that objects can have.

    Attributes
    ----------
    name : str
        What it is called.
    color : str
        As "#rrggbb".
    is_wrong : bool
        Its objects are segmented wrongly, e.g. debris: a review shows them first.

    Raises
    ------
    ValueError
        When it has no name, or the color is none.
    """

    name: str
    color: str = COLORS[0]
    is_wrong: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be shown."""
        name = self.name
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise ValueError(f"A class needs a name that can be read; got {name!r}.")
        if not isinstance(self.color, str) or not _COLOR.fullmatch(self.color):
            raise ValueError(f"The color of '{self.name}' is {self.color!r}; use e.g. '#0072b2'.")


@dataclass(frozen=True)
class Example:
    """An object whose class is known.

    Attributes
    ----------
    class_name : str
        Its class.
    key : ObjectKey or None
        Which object it is; None of another image.
    values : mapping of str to float
        What was measured of it, by the names of the columns; empty before it is measured.
    """

    class_name: str
    key: ObjectKey | None = None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Examples:
    """Classes, and examples of them; every change is another value.

    Attributes
    ----------
    classes : tuple of ObjectClass
        In the order of their keys.
    rows : tuple of Example
        At most one per object.
    digest : str or None
        `digest_labels` of the labels whose objects they are; None: of the labels at hand.
    """

    classes: tuple[ObjectClass, ...] = ()
    rows: tuple[Example, ...] = ()
    digest: str | None = None

    @property
    def given(self) -> dict[ObjectKey, str]:
        """Class of each object of these labels."""
        return {row.key: row.class_name for row in self.rows if row.key is not None}

    def count(self) -> Counter[str]:
        """How many examples each class has."""
        return Counter(row.class_name for row in self.rows)

    def give(self, key: ObjectKey, name: str) -> Examples:
        """Give an object a class, in place of one that it has."""
        others = tuple(row for row in self.rows if row.key != key)
        return replace(self, rows=(*others, Example(name, key)))

    def add_class(self, name: str, is_wrong: bool = False) -> Examples:
        """Add a class, in a color that is still free.

        Raises
        ------
        ValueError
            When there is one of that name.
        """
        self._refuse_known(name)
        taken = {each.color for each in self.classes}
        free = [each for each in COLORS if each not in taken] or list(COLORS)
        return replace(self, classes=(*self.classes, ObjectClass(name, free[0], is_wrong)))

    def change_class(self, name: str, changed: ObjectClass) -> Examples:
        """Give a class another name, color or meaning; its examples stay.

        Raises
        ------
        ValueError
            When there is another one of the new name.
        """
        if changed.name != name:
            self._refuse_known(changed.name)
        classes = tuple(changed if each.name == name else each for each in self.classes)
        rows = tuple(
            replace(row, class_name=changed.name) if row.class_name == name else row
            for row in self.rows
        )
        return replace(self, classes=classes, rows=rows)

    def remove_class(self, name: str) -> Examples:
        """Remove a class, and its examples."""
        classes = tuple(each for each in self.classes if each.name != name)
        return replace(
            self, classes=classes, rows=tuple(r for r in self.rows if r.class_name != name)
        )

    def of_labels(self, digest: str) -> Examples:
        """Examples for labels of a digest: those of other labels are of another image."""
        found = self if self.digest in (None, digest) else self.of_another_image()
        return replace(found, digest=None)

    def of_another_image(self) -> Examples:
        """Examples that were measured, without the objects that they are of."""
        rows = tuple(replace(row, key=None) for row in self.rows if row.values)
        return replace(self, rows=rows, digest=None)

    def without(self, numbers: frozenset[int] | None) -> Examples:
        """Examples that name no object of these numbers, or none at all; their values stay."""
        gone = {key for key in self.given if numbers is None or key.label in numbers}
        known = (row for row in self.rows if row.key not in gone or row.values)
        rows = tuple(replace(row, key=None) if row.key in gone else row for row in known)
        return replace(self, rows=rows)

    def joined(self, others: Examples) -> Examples:
        """All examples of both; classes of one name are one class, as it is here."""
        names = {each.name for each in self.classes}
        more = tuple(each for each in others.classes if each.name not in names)
        known = {row.key for row in self.rows if row.key is not None}
        rows = tuple(row for row in others.rows if row.key not in known and row not in self.rows)
        return replace(self, classes=self.classes + more, rows=self.rows + rows)

    def measured(self, table: Table, names: list[str]) -> Examples:
        """Take what was measured of the objects from a table; of those that are gone it stays."""
        places = {key: row for row, key in enumerate(object_keys(table))}
        rows = []
        for row in self.rows:
            found = places.get(row.key) if row.key is not None else None
            if found is None:
                rows.append(row)
                continue
            values = {name: float(table[name][found]) for name in names}
            rows.append(replace(row, values=values))
        return replace(self, rows=tuple(rows))

    def _refuse_known(self, name: str) -> None:
        if any(each.name == name for each in self.classes):
            raise ValueError(f"There is a class '{name}' already. Give it another name.")


def object_keys(table: Table) -> list[ObjectKey]:
    """Objects of the rows of a table, as `measure_objects` returns it."""
    zeros = [0] * len(table["label"])
    t, z = (table[axis].tolist() if axis in table else zeros for axis in "tz")
    return [ObjectKey(*map(int, row)) for row in zip(table["label"].tolist(), t, z, strict=True)]
