"""The folder of models: the environment's, else the preferred one, else the user's cache."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from napari_ssp.progress import run
from napari_ssp.registry import (
    download_steps,
    find_card,
    import_checkpoint,
    is_users,
    list_cards,
    remove_model,
)
from napari_ssp.registry.folders import make_models_folder, models_folder, models_folders

if TYPE_CHECKING:
    from collections.abc import Callable

    Prefer = Callable[[Path | str], None]


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of models in the cache of a user who has moved nothing."""
    monkeypatch.delenv("NAPARI_SSP_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache" / "models"


@pytest.fixture
def prefer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prefer:
    """Put a folder into the preferences."""
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "settings.yaml"))

    def write(folder: Path | str) -> None:
        text = yaml.safe_dump({"models": {"folder": str(folder)}})
        (tmp_path / "napari-ssp.yaml").write_text(text)

    return write


def test_the_environment_comes_before_the_preference(
    old: Path, prefer: Prefer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (models_folder(), models_folders()) == (old, [old])
    prefer(tmp_path / "mine")
    assert models_folders() == [tmp_path / "mine", old]
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "moved"))
    assert models_folders() == [tmp_path / "moved" / "models"]


def test_a_short_path_begins_at_home(old: Path, prefer: Prefer) -> None:
    for words in ("~/of mine", "of mine"):
        prefer(words)
        assert models_folder() == Path.home() / "of mine"


def test_models_in_the_folder_before_stay_in_use(
    old: Path, prefer: Prefer, tiny_model: Path, tmp_path: Path
) -> None:
    import_checkpoint(tiny_model, "first")
    prefer(tmp_path / "not" / "there yet")
    assert find_card("first").folder == old / "first"
    import_checkpoint(tiny_model, "second")
    assert find_card("second").folder == tmp_path / "not" / "there yet" / "second"
    users = {card.name for card in list_cards() if is_users(card)}
    assert users == {"first", "second"}
    with pytest.raises(FileExistsError, match="model 'first' already"):
        import_checkpoint(tiny_model, "first")
    import_checkpoint(tiny_model, "first", overwrite=True)
    assert find_card("first").folder == tmp_path / "not" / "there yet" / "first"
    assert remove_model("first") == tmp_path / "not" / "there yet" / "first"
    assert remove_model("first") == old / "first"


def test_a_folder_that_cannot_be_made_is_said_before_the_work(
    old: Path, prefer: Prefer, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("")
    prefer(tmp_path / "a file" / "models")
    download = partial(run, download_steps("mediar-phase1"))  # which asks nobody for the file
    for work in (make_models_folder, partial(import_checkpoint, tiny_model), download):
        with pytest.raises(OSError, match=r"a file.models' \(.+\)\. Choose another"):
            work()
    assert "mediar-starter" in {card.name for card in list_cards()}
