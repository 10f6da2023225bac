"""Decisions of people about objects: kept beside the labels' file, or by the labels' digest."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_ssp.atomic import write_text
from napari_ssp.io.objects.notes import DECISIONS_SUFFIX
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry import data_folder
from napari_ssp.service.measuring import digest_labels
from napari_ssp.service.requests import Request

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.image import MicroscopyImage

_KIND = "napari-ssp review of labels"
_LONGEST = 2**28


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
    beside = find_decisions(request.path, request.scene)
    if beside is not None:
        return read_decisions(beside)
    kept = _by_digest(digest_labels(request.labels))
    return read_decisions(kept) if kept.is_file() else {}


def keep_steps(request: KeepDecisionsRequest) -> Steps[Path]:
    """Write decisions beside the labels' file, and by their digest while that may change.

    Raises
    ------
    OSError
        When they cannot be written.
    """
    yield Progress("keeping decisions")
    beside = _beside(request.path, request.scene)
    if beside is not None and not os.access(beside.parent, os.W_OK | os.X_OK):
        beside = None
    found = [] if beside is None else [beside]
    if beside is None or isinstance(request.labels.data, np.ndarray):
        found.append(_by_digest(digest_labels(request.labels)))
        found[-1].parent.mkdir(parents=True, exist_ok=True)
    for path in found:
        write_text(path, _text(request.labels.name, request.decisions))
    return found[0]


def find_decisions(path: Path | None, scene: str | None) -> Path | None:
    """Find the decisions beside a file of labels; None where there are none."""
    beside = _beside(path, scene)
    return beside if beside is not None and beside.is_file() else None


def read_decisions(path: Path) -> dict[ObjectKey, Decision]:
    """Read a file of decisions; those that this version does not know are left out.

    Raises
    ------
    ValueError
        When it holds none.
    """
    known = set(Decision)
    try:
        if path.stat().st_size > _LONGEST:
            raise ValueError("it is too long")
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["kind"] != _KIND:
            raise ValueError("it is of another kind")
        rows = [(_key(row), row["decision"]) for row in content["decisions"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"'{path}' holds no decisions about labels ({error}), so those made before are not "
            "shown. Move it away, or the next decision replaces it."
        ) from error
    return {key: Decision(word) for key, word in rows if word in known}


def _key(row: Any) -> ObjectKey:
    return ObjectKey(int(row["label"]), int(row.get("t", 0)), int(row.get("z", 0)))


def _text(name: str, decisions: Decisions) -> str:
    rows = [{**key._asdict(), "decision": word.value} for key, word in sorted(decisions.items())]
    content = {
        "kind": _KIND,
        "labels": name,
        "changed": datetime.now(UTC).isoformat(timespec="seconds"),
        "decisions": rows,
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _beside(path: Path | None, scene: str | None) -> Path | None:
    """File beside the one of the labels, where that is on this computer."""
    if path is None or not path.exists():
        return None
    words = "" if not scene else "." + re.sub(r"[^\w-]+", "_", scene)
    return path.with_name(path.name + words + DECISIONS_SUFFIX)


def _by_digest(digest: str) -> Path:
    return data_folder() / "reviews" / f"{re.sub(r'[^0-9a-f]+', '-', digest).strip('-')}.json"
