"""Critics and the models whose results they learned to judge."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_ssp.progress import run
from napari_ssp.registry import (
    ModelCard,
    card_lines,
    export_steps,
    find_card,
    find_critic,
    import_checkpoint,
    remove_model,
)

if TYPE_CHECKING:
    from pathlib import Path


def _install(folder: Path, cache: Path, name: str, **changes: object) -> None:
    """Install a model under another name, with other entries on its card."""
    target = cache / "models" / name
    shutil.copytree(folder, target)
    replace(ModelCard.read(target), name=name, **changes).write(target)  # type: ignore[arg-type]


def _found(model: str) -> str | None:
    critic = find_critic(model)
    return None if critic is None else critic.name


def test_the_shipped_critic_knows_the_shipped_model(cache: Path) -> None:
    assert _found("mediar-starter") == "critic-starter"
    assert _found("generalist-starter") is None
    assert _found("no-such-model") is None


def test_of_several_critics_the_users_come_first(cache: Path, tiny_critic: Path) -> None:
    _install(tiny_critic, cache, "zeta", reviews=("mediar-starter", "mito"))
    assert _found("mediar-starter") == _found("mito") == "zeta"
    _install(tiny_critic, cache, "eta", reviews=("mito",))
    assert (_found("mediar-starter"), _found("mito")) == ("zeta", "eta")
    remove_model("eta")
    assert _found("mito") == "zeta"


def test_a_model_that_was_trained_further_has_the_critic_of_its_base(
    cache: Path, tiny_critic: Path, tiny_model: Path
) -> None:
    _install(tiny_model, cache, "further", base="mediar-starter")
    _install(tiny_model, cache, "furthest", base="further")
    _install(tiny_model, cache, "ring", base="ring")
    assert _found("furthest") == "critic-starter"
    assert _found("ring") is None
    _install(tiny_critic, cache, "nearer", reviews=("further",))
    assert _found("furthest") == _found("further") == "nearer"
    assert _found("mediar-starter") == "critic-starter"


def test_a_critic_of_an_average_knows_each_model(cache: Path, tiny_critic: Path) -> None:
    assert _found("mediar-starter+mito") is None
    _install(tiny_critic, cache, "both", reviews=("mito", "mediar-starter"))
    assert _found("mediar-starter+mito") == "both"


def test_what_a_critic_knows_survives_a_journey(
    cache: Path, tiny_critic: Path, tmp_path: Path
) -> None:
    _install(tiny_critic, cache, "mine", reviews=("mito",), base="other")
    archive = tmp_path / "mine.zip"
    run(export_steps("mine", archive))
    remove_model("mine")
    again = import_checkpoint(archive)
    assert (again.reviews, again.base, _found("mito")) == (("mito",), "other", "mine")
    assert ("reviews results of", "mito") in card_lines(find_card("mine"))
    assert ("trained from", "other") in card_lines(find_card("mine"))


def test_cards_without_these_entries_are_written_as_before(tiny_critic: Path) -> None:
    card = ModelCard.read(tiny_critic)
    assert (card.reviews, card.base) == ((), None)
    content = json.loads(card.text())
    assert not {"reviews", "base"} & set(content)
    with pytest.raises(ValueError, match="reviews"):
        ModelCard.from_content({**content, "reviews": ["a/b"]})
