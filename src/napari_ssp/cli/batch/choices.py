"""Choices that results were made with, kept so that ``--resume`` does not mix others."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from napari_ssp.registry import data_folder, find_card
from napari_ssp.service.blocks.describing import check_same
from napari_ssp.service.segmentation.plan import model_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

#: What decides which images are done, where, and what is written of them; not how.
_FREE = {"paths", "scene", "device", "batch_size", "tile", "save_flows"}
#: Choices that name a model.
_MODELS = ("model", "nuclei_model", "through_model")
_TABLES = (
    "create table if not exists choices (id integer primary key, text text unique)",
    "create table if not exists results (name blob primary key, choices integer, finished integer)",
)
_WRITE = "insert or replace into results values (?, (select id from choices where text = ?), ?)"
_READ = "select name, text, finished from results join choices on choices.id = results.choices"
#: Where they cannot be kept or read, the run goes on: nothing is compared then.
_FAULTS = (OSError, sqlite3.Error)


class KeptChoices:
    """Choices of a batch, and what is known of those of the results in its folder.

    A run marks all that it will make when it begins, and each result when it is finished: what a
    run that replaces others has not reached is known from what it has.

    Parameters
    ----------
    output : pathlib.Path
        Folder of the results.
    choices : mapping
        Of the command.
    """

    def __init__(self, output: Path, choices: Mapping[str, Any]) -> None:
        self._output = output
        self._choices = _known(choices)
        # In the user's data folder: the one of the results holds nothing but results.
        name = sha256(str(output.resolve()).encode()).hexdigest()[:32]
        self._file = data_folder() / "batches" / f"{name}.sqlite"

    def begin(self, targets: Iterable[Path]) -> None:
        """Keep that these are made from now on."""
        self._write(targets, finished=False)

    def finish(self, target: Path) -> None:
        """Keep that one is made."""
        self._write([target], finished=True)

    def find_finished(self, targets: Sequence[Path]) -> set[Path]:
        """Results that are not those of an earlier run, which this one has yet to replace.

        Parameters
        ----------
        targets : sequence of pathlib.Path
            Results that are there; those of which no choices are known are taken as they are.

        Raises
        ------
        ValueError
            When one has other choices or weights.
        """
        kept, unknown = self._read(), (self._read_of_before(), True)
        found = {target: kept.get(self._name(target), unknown) for target in targets}
        for text in dict.fromkeys(text for text, _ in found.values() if text):
            # Batches of before kept their model in any case.
            check_same({"fallback": False} | json.loads(text), self._choices, self._output)
        return {target for target, (_, is_finished) in found.items() if is_finished}

    def _name(self, target: Path) -> bytes:
        # Names of files may be no text.
        return os.fsencode(os.path.relpath(target, self._output))

    def _write(self, targets: Iterable[Path], finished: bool) -> None:
        text = json.dumps(self._choices, sort_keys=True)
        rows = [(self._name(target), text, finished) for target in targets]
        with suppress(*_FAULTS):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file)) as database, database:
                for line in _TABLES:
                    database.execute(line)
                database.execute("insert or ignore into choices (text) values (?)", (text,))
                database.executemany(_WRITE, rows)

    def _read(self) -> dict[bytes, tuple[str, bool]]:
        """Choices of each result, as JSON, by its name, and whether it is finished."""
        if not self._file.is_file():
            return {}
        try:
            with closing(sqlite3.connect(self._file)) as database:
                rows = database.execute(_READ).fetchall()
        except _FAULTS:
            return {}
        return {name: (text, bool(finished)) for name, text, finished in rows}

    def _read_of_before(self) -> str:
        """Choices of a folder's last batch, as earlier versions kept them; empty where unknown."""
        try:
            text = self._file.with_suffix(".json").read_text(encoding="utf-8")
            return text if isinstance(json.loads(text), dict) else ""
        except (OSError, ValueError):
            return ""


def _known(choices: Mapping[str, Any]) -> dict[str, Any]:
    """JSON-ready choices that decide a result, and the weights that they mean."""
    known = {name: value for name, value in choices.items() if name not in _FREE}
    models = [model for name in _MODELS if known.get(name) for model in model_names(known[name])]
    cards = [find_card(model) for model in models]
    cards += [find_card(member) for card in cards for member in card.members]
    found: dict[str, Any] = json.loads(
        json.dumps({**known, "sha256": [card.sha256 for card in cards]}, default=str)
    )
    return found
