"""Choices that a folder's results were made with, kept so that ``--resume`` does not mix others."""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from napari_ssp.atomic import write_text
from napari_ssp.registry import data_folder, find_card
from napari_ssp.service.blocks.describing import check_same
from napari_ssp.service.segmentation.plan import model_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: What decides which images are done, where, and what is written of them; not how.
_FREE = {"paths", "scene", "device", "batch_size", "tile", "save_flows"}
#: Choices that name a model.
_MODELS = ("model", "through_model")


def keep_choices(output: Path, choices: Mapping[str, Any]) -> None:
    """Keep the choices of a run that begins; they replace those of the run before.

    Where they cannot be kept, the run goes on: nothing is compared with them later.
    """
    kept = _file(output)
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_text(kept, json.dumps(_known(choices), indent=1) + "\n")


def check_choices(output: Path, choices: Mapping[str, Any]) -> None:
    """Refuse to resume with other choices or weights than the results of a folder have.

    Raises
    ------
    ValueError
        When one differs; results of which no choices are known are taken as they are.
    """
    try:
        found = json.loads(_file(output).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    # Batches of before kept their model in any case.
    check_same({"fallback": False} | found, _known(choices), output)


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


def _file(output: Path) -> Path:
    """File in the user's data folder: the one of the results holds nothing but results."""
    name = sha256(str(output.resolve()).encode()).hexdigest()[:32]
    return data_folder() / "batches" / f"{name}.json"
