"""Small JSON files about labels: beside the labels' file, or found by the labels' digest."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import write_text
from napari_ssp.io.objects.notes import DECISIONS_SUFFIX, EXAMPLES_SUFFIX
from napari_ssp.registry import data_folder
from napari_ssp.service.measuring import digest_labels

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_ssp.image import MicroscopyImage

_LONGEST = 2**28
#: Files beside labels by the ends of their names, and where their rows about objects are.
_ROWS = {DECISIONS_SUFFIX: "decisions", EXAMPLES_SUFFIX: "examples"}


@dataclass(frozen=True)
class FilesBeside:
    """A kind of file about labels.

    Attributes
    ----------
    kind : str
        What such a file says that it is.
    suffix : str
        End of its name; what is before it is the whole name of the labels' file.
    folder : str
        Where files about labels without a file lie, in the user's data folder.
    """

    kind: str
    suffix: str
    folder: str

    def find(self, labels: MicroscopyImage, path: Path | None, scene: str | None) -> Path | None:
        """File about labels; their pixels are read only where none lies beside their own file."""
        beside = self.find_beside(path, scene)
        if beside is not None:
            return beside
        kept = self._by_digest(labels)
        return kept if kept.is_file() else None

    def find_beside(self, path: Path | None, scene: str | None) -> Path | None:
        """File that lies beside the one of the labels; None where there is none."""
        beside = self._beside(path, scene)
        return beside if beside is not None and beside.is_file() else None

    def write(
        self,
        labels: MicroscopyImage,
        path: Path | None,
        scene: str | None,
        content: dict[str, Any],
    ) -> Path:
        """Write beside the labels' file, and by their digest while that may change.

        Raises
        ------
        OSError
            When it cannot be written.
        """
        beside = self._beside(path, scene)
        if beside is not None and not os.access(beside.parent, os.W_OK | os.X_OK):
            beside = None
        found = [] if beside is None else [beside]
        if beside is None or isinstance(labels.data, np.ndarray):
            found.append(self._by_digest(labels))
            found[-1].parent.mkdir(parents=True, exist_ok=True)
        for each in found:
            write_text(each, self.text(labels.name, content))
        return found[0]

    def text(self, name: str, content: dict[str, Any]) -> str:
        """Text of a file about the labels of that name."""
        head = {
            "kind": self.kind,
            "labels": name,
            "changed": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return json.dumps({**head, **content}, ensure_ascii=False, indent=1) + "\n"

    def read(self, path: Path) -> Any:
        """Read what a file holds.

        Raises
        ------
        ValueError, KeyError, TypeError, RecursionError
            When it is of another kind.
        """
        if path.stat().st_size > _LONGEST:
            raise ValueError("it is too long")
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["kind"] != self.kind:
            raise ValueError("it is of another kind")
        return content

    def _beside(self, path: Path | None, scene: str | None) -> Path | None:
        """File beside the one of the labels, where that is on this computer."""
        if path is None or not path.exists():
            return None
        words = "" if not scene else "." + re.sub(r"[^\w-]+", "_", scene)
        return path.with_name(path.name + words + self.suffix)

    def _by_digest(self, labels: MicroscopyImage) -> Path:
        words = re.sub(r"[^0-9a-f]+", "-", digest_labels(labels)).strip("-")
        return data_folder() / self.folder / f"{words}.json"


def moved_numbers(before: NDArray[Any], after: NDArray[Any]) -> frozenset[int]:
    """Numbers whose object lies elsewhere than the one of that number before.

    Parameters
    ----------
    before, after : numpy.ndarray
        Labels of the same pixels; of other shapes all numbers of `after` count.
    """
    numbers = frozenset(np.unique(after).tolist())
    if before.shape != after.shape:
        return numbers
    stayed = frozenset(np.unique(after[before == after]).tolist())
    return numbers & frozenset(np.unique(before).tolist()) - stayed


def has_notes(path: Path) -> bool:
    """Whether something was said about the objects of a file of labels."""
    return any(path.with_name(path.name + suffix).is_file() for suffix in _ROWS)


def forget_objects(path: Path, numbers: Collection[int]) -> None:
    """Take what was said about objects of these numbers out of the files beside labels.

    What was measured of examples stays: it goes on teaching, without its object.

    Raises
    ------
    OSError
        When a file cannot be written.
    """
    for suffix, key in _ROWS.items():
        file = path.with_name(path.name + suffix)
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            rows = [_forgotten(row) if row.get("label") in numbers else row for row in content[key]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue  # there is none, or its dock says what is wrong with it
        kept = [row for row in rows if row is not None]
        if kept != content[key]:
            text = json.dumps({**content, key: kept}, ensure_ascii=False, indent=1)
            write_text(file, text + "\n")


def _forgotten(row: dict[str, Any]) -> dict[str, Any] | None:
    """Row without its object; None where nothing is left of it."""
    if not row.get("values"):
        return None
    return {name: value for name, value in row.items() if name not in ("label", "t", "z")}
