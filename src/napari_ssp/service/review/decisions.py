"""Decisions of people about objects: kept beside the labels' file, or by the labels' digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_ssp.io.objects.notes import DECISIONS_SUFFIX
from napari_ssp.progress import Progress, Steps
from napari_ssp.service.requests import Request
from napari_ssp.service.review.beside import FilesBeside

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage

_FILES = FilesBeside("napari-ssp review of labels", DECISIONS_SUFFIX, "reviews")


class Decision(StrEnum):
    """What a person decided about an object."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EDITED = "edited"


class ObjectKey(NamedTuple):
    """An object in a plane: its label, frame and plane in the full image, from 0."""

    label: int
    t: int = 0
    z: int = 0

    def __str__(self) -> str:
        """Give its number, and its place where that is not the first one."""
        places = ", ".join(f"{axis} {getattr(self, axis)}" for axis in "tz" if getattr(self, axis))
        return f"{self.label} ({places})" if places else str(self.label)


Decisions = Mapping[ObjectKey, Decision]


@dataclass(frozen=True, eq=False)
class FindDecisionsRequest(Request["dict[ObjectKey, Decision]"]):
    """Find what was decided about labels earlier; empty where nothing was.

    Attributes
    ----------
    labels : MicroscopyImage
        The labels; read only where no file lies beside theirs.
    path : pathlib.Path or None
        Their file.
    scene : str or None
        Which image of it.
    """

    labels: MicroscopyImage
    path: Path | None = None
    scene: str | None = None


@dataclass(frozen=True, eq=False)
class KeepDecisionsRequest(Request["Path"]):
    """Keep what was decided about labels; the result is the file.

    Attributes
    ----------
    labels, path, scene
        As of `FindDecisionsRequest`.
    decisions : mapping of ObjectKey to Decision
        All that were made.
    """

    labels: MicroscopyImage
    path: Path | None
    scene: str | None
    decisions: Decisions


def find_steps(request: FindDecisionsRequest) -> Steps[dict[ObjectKey, Decision]]:
    """Read decisions.

    Raises
    ------
    ValueError
        When the file holds none.
    """
    yield Progress("looking for decisions")
    found = _FILES.find(request.labels, request.path, request.scene)
    return {} if found is None else read_decisions(found)


def keep_steps(request: KeepDecisionsRequest) -> Steps[Path]:
    """Write decisions beside the labels' file, and by their digest while that may change.

    Raises
    ------
    OSError
        When they cannot be written.
    """
    yield Progress("keeping decisions")
    made = sorted(request.decisions.items())
    rows = [{**key._asdict(), "decision": word.value} for key, word in made]
    return _FILES.write(request.labels, request.path, request.scene, {"decisions": rows})


def find_decisions(path: Path | None, scene: str | None) -> Path | None:
    """Find the decisions beside a file of labels; None where there are none."""
    return _FILES.find_beside(path, scene)


def read_decisions(path: Path) -> dict[ObjectKey, Decision]:
    """Read a file of decisions; those that this version does not know are left out.

    Raises
    ------
    ValueError
        When it holds none.
    """
    known = set(Decision)
    try:
        content = _FILES.read(path)
        rows = [(object_key(row), row["decision"]) for row in content["decisions"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"'{path}' holds no decisions about labels ({error}), so those made before are not "
            "shown. Move it away, or the next decision replaces it."
        ) from error
    return {key: Decision(word) for key, word in rows if word in known}


def object_key(row: Any) -> ObjectKey:
    """Object that a row of a file names."""
    return ObjectKey(int(row["label"]), int(row.get("t", 0)), int(row.get("z", 0)))
