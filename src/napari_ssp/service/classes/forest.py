"""Random forest of object classes: it tells objects apart by what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_ssp.measure import Table
    from napari_ssp.service.classes.examples import Example

_TREES = 100
_SEED = 0
#: Examples of each class from which on left-out examples say how good the classes are.
ENOUGH = 5
_IDS = ("label", "t", "z")
_PLACES = ("centroid_", "bbox_")


@dataclass(frozen=True, eq=False)
class Prediction:
    """Classes of objects.

    Attributes
    ----------
    names : numpy.ndarray of object
        Class of each row of the table.
    probability : numpy.ndarray of float64
        Share of the trees that say so.
    recognised : mapping of str to float
        Share of the examples of each class that are recognised by the trees that did not learn
        them; empty where a class has fewer than `ENOUGH`.
    """

    names: NDArray[Any]
    probability: NDArray[np.float64]
    recognised: Mapping[str, float]


def feature_names(table: Table) -> list[str]:
    """Columns that a class may depend on: numbers, but neither ids nor places."""
    return [
        name
        for name, column in table.items()
        if name not in _IDS and not name.startswith(_PLACES) and column.dtype.kind in "biuf"
    ]


def common_features(table: Table, examples: Sequence[Example]) -> list[str]:
    """Columns of a table that were measured of all examples, too.

    Raises
    ------
    ValueError
        When there are none.
    """
    names = feature_names(table)
    common = [name for name in names if all(name in row.values for row in examples)]
    if names and not common:
        theirs = sorted(set().union(*(row.values for row in examples)))
        raise ValueError(
            f"The examples were measured as {_some(theirs)}, these objects as {_some(names)}, and "
            "nothing is common to them. Give the image with channels of the same names, and the "
            "voxel size where the examples have one."
        )
    return common


def predict(examples: Sequence[Example], table: Table, names: Sequence[str]) -> Prediction:
    """Fit a forest to examples and predict the classes of a table's rows.

    The same examples, in any order, give the same result.

    Parameters
    ----------
    examples : sequence of Example
        Of two classes at least, all with the values of these names.
    table : dict of str to numpy.ndarray
        As `measure_objects` returns it, of one row at least.
    names : sequence of str
        Columns to learn from; what is not finite counts as missing.
    """
    from sklearn.ensemble import RandomForestClassifier

    rows = [[row.values[name] for name in names] for row in examples]
    known: NDArray[Any] = np.array(rows, np.float64)
    classes = np.array([row.class_name for row in examples])
    order = np.lexsort((*known.T[::-1], classes))
    known, classes = _with_gaps(known[order]), classes[order]
    forest = RandomForestClassifier(
        _TREES, class_weight="balanced", oob_score=True, random_state=_SEED
    )
    forest.fit(known, classes)
    shares = forest.predict_proba(_with_gaps(np.column_stack([table[name] for name in names])))
    best = shares.argmax(axis=1)
    return Prediction(
        forest.classes_[best].astype(object), shares.max(axis=1), _recognised(forest, classes)
    )


def _with_gaps(values: NDArray[Any]) -> NDArray[np.float32]:
    """Values as the trees take them, with nan for what is no finite number."""
    with np.errstate(over="ignore"):
        found = np.asarray(values, np.float64).astype(np.float32)
    return np.where(np.isfinite(found), found, np.float32(np.nan))


def _recognised(forest: Any, classes: NDArray[Any]) -> dict[str, float]:
    """Share of each class's examples that trees recognise which did not learn them."""
    if min((classes == name).sum() for name in forest.classes_) < ENOUGH:
        return {}
    votes = forest.classes_[np.nan_to_num(forest.oob_decision_function_).argmax(axis=1)]
    return {str(name): float((votes[classes == name] == name).mean()) for name in forest.classes_}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
