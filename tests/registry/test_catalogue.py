"""Which models there are, where they come from, and how they are fetched and kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from download_site import HASTE

from napari_ssp.progress import run
from napari_ssp.registry import (
    ModelCard,
    add_catalogue,
    card_lines,
    catalogue_places,
    download_steps,
    export_steps,
    find_card,
    find_in_catalogue,
    is_installed,
    list_cards,
    list_catalogue,
    load_model,
    remove_catalogue,
    remove_model,
    verify_steps,
)

if TYPE_CHECKING:
    from pathlib import Path

    from download_site import Site

DIGESTS = {
    "mediar-phase1": "e0ccb052828a9f05e21b2143939583c5",
    "mediar-phase2": "a595336926767afdf1ffb1baffd5ab7f",
}


@pytest.fixture
def package(tiny_model: Path, tmp_path: Path) -> Path:
    """Model in one file."""
    return run(export_steps(tiny_model, tmp_path / "tiny.zip"))


def _entry(package: Path, url: str, **change: Any) -> dict[str, Any]:
    remote = {
        "name": "tiny.zip",
        "urls": [url],
        "page": "https://lab.example/models",
        "sha256": hashlib.sha256(package.read_bytes()).hexdigest(),
        "size": package.stat().st_size,
    }
    card = {"name": "lab-cells", "family": "mediar", "network": {}, "sha256": "", "licence": "CC0"}
    return card | {"remote": remote} | change


def _offer(folder: Path, *entries: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "catalogue.json").write_text(json.dumps({"models": entries}))
    return folder


def test_the_published_weights_are_offered(cache: Path) -> None:
    cards = {card.name: card for card in list_catalogue()}
    assert next(iter(cards)) == "mediar-starter"
    for name, digest in DIGESTS.items():
        card = cards[name]
        assert card.remote is not None
        assert (card.remote.md5, card.remote.name[-4:]) == (digest, ".pth")
        assert all(url.startswith("https://") for url in card.remote.urls)
        assert card.licence.startswith("MIT")
        assert "disagree" in card.description
        assert card.parameters == 121_303_587
        assert not is_installed(card)
    ensemble = cards["mediar-ensemble"]
    assert ensemble.members == tuple(DIGESTS)
    assert not is_installed(ensemble)
    assert not {"mediar-ensemble", *DIGESTS} & {card.name for card in list_cards()}


def test_the_published_drive_files_are_those_of_the_issue(cache: Path) -> None:
    ids = ("168MtudjTMLoq9YGTyoD2Rjl_d3Gy6c_L", "1JJ2-QKTCk-G7sp5ddkqcifMxgnyOrXjx")
    for name, file in zip(DIGESTS, ids, strict=True):
        remote = find_in_catalogue(name).remote
        assert remote is not None
        assert all(file in place for place in (*remote.urls, remote.page))


def test_a_model_that_is_not_installed_is_no_silent_default(cache: Path) -> None:
    words = (
        r"not installed\. Download it \(about 485 MB from drive.google.com\) with 'napari-ssp mod"
    )
    with pytest.raises(FileNotFoundError, match=words):
        find_card("mediar-phase1")
    with pytest.raises(FileNotFoundError, match="Did you mean mediar-phase"):
        find_card("mediar-phse1")
    with pytest.raises(FileNotFoundError, match=r"There are: mediar-starter"):
        find_card("zzzz")


def test_an_ensemble_is_there_when_its_members_are(tiny_model: Path, cache: Path) -> None:
    for name in DIGESTS:
        assert "mediar-ensemble" not in [card.name for card in list_cards()]
        folder = shutil.copytree(tiny_model, cache / "models" / name)
        replace(ModelCard.read(folder), name=name).write(folder)
    card = find_card("mediar-ensemble")
    assert card.members == tuple(DIGESTS)
    assert len(card.sha256) == 64
    assert card.sha256 not in (find_card("mediar-phase1").sha256, "")
    assert is_installed(card)
    with pytest.raises(ValueError, match="load its members: mediar-phase1, mediar-phase2"):
        load_model("mediar-ensemble")
    with pytest.raises(ValueError, match="Export its members"):
        run(export_steps("mediar-ensemble", cache / "x.zip"))
    with pytest.raises(PermissionError, match="is the average of"):
        remove_model("mediar-ensemble")
    assert [found.name for found in run(verify_steps(["mediar-ensemble"]))] == list(DIGESTS)


def test_a_lab_offers_a_model_at_an_address(
    site: Site, package: Path, cache: Path, tmp_path: Path
) -> None:
    base = site.url.rpartition("/")[0]
    text = json.dumps({"models": [_entry(package, "files/tiny.zip")]}).encode()
    site.content = text
    place = f"{base}/catalogue.json"
    assert [card.name for card in run(add_catalogue(place, HASTE))] == ["lab-cells"]
    remote = find_in_catalogue("lab-cells").remote
    assert remote is not None
    assert remote.urls == (f"{base}/files/tiny.zip",)
    assert catalogue_places() == [place]
    site.content, site.tag = package.read_bytes(), '"two"'
    steps = list(download_steps("lab-cells", (), HASTE))
    assert max(step.done for step in steps) == package.stat().st_size
    card = find_card("lab-cells")
    assert card.folder == cache / "models" / "lab-cells"
    load_model("lab-cells")
    assert not list((cache / "downloads").iterdir())
    asked = len(site.asked)
    assert run(download_steps("lab-cells", (), HASTE)) == card
    assert len(site.asked) == asked
    remove_catalogue(place)
    assert catalogue_places() == []
    assert find_card("lab-cells") == card


def test_a_lab_offers_models_in_a_folder(
    tiny_model: Path, package: Path, cache: Path, tmp_path: Path
) -> None:
    lab = _offer(tmp_path / "lab", _entry(package, "tiny.zip"))
    shutil.copy(package, lab / "tiny.zip")
    folder = shutil.copytree(tiny_model, lab / "shared")
    replace(ModelCard.read(folder), name="shared").write(folder)
    run(add_catalogue(str(lab)))
    assert find_card("shared").folder == folder.resolve()
    with pytest.raises(PermissionError, match="not in the folder of your models"):
        remove_model("shared")
    assert run(download_steps("lab-cells")).name == "lab-cells"
    (lab / "tiny.zip").write_bytes(b"other")
    remove_model("lab-cells")
    with pytest.raises(ConnectionError, match="damaged or another file"):
        run(download_steps("lab-cells"))
    assert (lab / "tiny.zip").read_bytes() == b"other"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "no catalogue of models"),
        ('{"models": [{"name": "x"}]}', "no catalogue of models"),
        ("no json", "no catalogue of models"),
        ('{"models": 3}', "no catalogue of models"),
        ("[" * 100_000, "no catalogue of models"),
    ],
)
def test_catalogues_that_are_none(cache: Path, tmp_path: Path, content: str, words: str) -> None:
    _offer(tmp_path / "lab")
    (tmp_path / "lab" / "catalogue.json").write_text(content)
    with pytest.raises(ValueError, match=words):
        run(add_catalogue(str(tmp_path / "lab")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="is no catalogue: it holds neither"):
        run(add_catalogue(str(tmp_path / "empty")))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        run(add_catalogue(str(tmp_path / "nowhere")))
    with pytest.raises(FileNotFoundError, match="no catalogue that was added"):
        remove_catalogue("nowhere")
    assert catalogue_places() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "../evil"}, "cannot be the name"),
        ({"remote": None}, "neither a file"),
        ({"remote": {"name": "x.zip", "urls": ["http://x/y"]}}, "must be a digest"),
        ({"remote": {"name": "../x", "urls": [], "md5": "0" * 32}}, "cannot be the name"),
    ],
)
def test_entries_that_are_refused(
    package: Path, cache: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    lab = _offer(tmp_path / "lab", _entry(package, "tiny.zip", **change))
    with pytest.raises(ValueError, match=words):
        run(add_catalogue(str(lab)))


def test_a_catalogue_without_end_is_stopped(site: Site, cache: Path) -> None:
    site.content, site.length = b" " * 21_000_000, False
    with pytest.raises(ValueError, match="longer than 20 MB"):
        run(add_catalogue(site.url, HASTE))
    assert catalogue_places() == []


def test_a_catalogue_that_vanished_hides_nothing(
    package: Path, cache: Path, tmp_path: Path
) -> None:
    lab = _offer(tmp_path / "lab", _entry(package, "tiny.zip"))
    run(add_catalogue(str(lab)))
    shutil.rmtree(lab)
    assert "mediar-starter" in [card.name for card in list_catalogue()]


def test_an_ensemble_of_itself_ends(package: Path, cache: Path, tmp_path: Path) -> None:
    entry = _entry(package, "tiny.zip", name="loop", members=["loop"])
    run(add_catalogue(str(_offer(tmp_path / "lab", entry))))
    assert "loop" not in [card.name for card in list_cards()]
    with pytest.raises(ValueError, match="ensemble of ensembles"):
        run(download_steps("loop"))


def _lab(package: Path, tmp_path: Path, *urls: str, **known: Any) -> None:
    entry = _entry(package, "")
    entry["remote"] |= {"urls": list(urls), **known}
    run(add_catalogue(str(_offer(tmp_path / "lab", entry))))


def test_mirrors_are_tried_in_turn(site: Site, package: Path, cache: Path, tmp_path: Path) -> None:
    site.content = package.read_bytes()
    _lab(package, tmp_path, "http://127.0.0.1:9/tiny.zip", site.url)
    assert run(download_steps("lab-cells", (), HASTE)).name == "lab-cells"
    remove_model("lab-cells")
    _lab(package, tmp_path, "http://127.0.0.1:9/tiny.zip")
    assert run(download_steps("lab-cells", [site.url], HASTE)).name == "lab-cells"
    remove_model("lab-cells")
    assert run(download_steps("lab-cells", [str(package)], HASTE)).name == "lab-cells"
    assert package.is_file()


def test_without_a_connection_the_error_says_what_to_do(
    package: Path, cache: Path, tmp_path: Path
) -> None:
    _lab(package, tmp_path, "http://127.0.0.1:9/a", "http://127.0.0.1:9/b")
    with pytest.raises(ConnectionError) as caught:
        run(download_steps("lab-cells", (), HASTE))
    text = str(caught.value)
    for part in ("9/a", "9/b", "https://lab.example/models", "models import tiny.zip", "sha256 is"):
        assert part in text


@pytest.mark.parametrize("kind", ["other", "page", "short"])
def test_a_wrong_file_is_never_imported(
    site: Site, package: Path, cache: Path, tmp_path: Path, kind: str
) -> None:
    good = package.read_bytes()
    site.content = {
        "other": good[:-1] + b"x",
        "page": b"<html>log in</html>",
        "short": good[:-100],
    }[kind]
    _lab(package, tmp_path, site.url)
    with pytest.raises(ConnectionError, match=r"was expected|web page|were expected"):
        run(download_steps("lab-cells", (), HASTE))
    assert not (cache / "models" / "lab-cells").exists()
    assert not list((cache / "downloads").glob("*"))


def test_a_cancelled_download_goes_on(
    site: Site, package: Path, cache: Path, tmp_path: Path
) -> None:
    site.content = package.read_bytes()
    _lab(package, tmp_path, site.url)
    steps = download_steps("lab-cells", (), HASTE)
    while next(steps).done == 0:
        pass
    steps.close()
    kept = (cache / "downloads" / "tiny.zip.part").stat().st_size
    assert 0 < kept < len(site.content)
    assert run(download_steps("lab-cells", (), HASTE)).name == "lab-cells"
    assert site.asked == ["", f"bytes={kept}-"]


def test_verification_and_removal(tiny_model: Path, cache: Path) -> None:
    folder = shutil.copytree(tiny_model, cache / "models" / "tiny")
    states = {found.name: found.state for found in run(verify_steps())}
    assert states["tiny"] == states["mediar-starter"] == "ok"
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(content)
    verdict = run(verify_steps(["tiny"]))[0]
    assert (verdict.state, verdict.sha256 != find_card("tiny").sha256) == ("damaged", True)
    (folder / "weights.safetensors").unlink()
    assert run(verify_steps(["tiny"]))[0].state == "missing"
    assert remove_model("tiny") == folder
    assert not folder.exists()
    with pytest.raises(PermissionError, match="'mediar-starter' is not in the folder"):
        remove_model("mediar-starter")
    with pytest.raises(FileNotFoundError, match="no model 'tiny'"):
        remove_model("tiny")


def test_removing_a_link_leaves_what_it_points_to(tiny_model: Path, cache: Path) -> None:
    (cache / "models").mkdir(parents=True)
    (cache / "models" / "linked").symlink_to(tiny_model, target_is_directory=True)
    remove_model("tiny")
    assert not (cache / "models" / "linked").exists()
    assert (tiny_model / "weights.safetensors").is_file()


def test_cards_are_readable(cache: Path) -> None:
    for card in list_catalogue():
        lines = dict(card_lines(card))
        assert {"name", "what it is", "family", "state", "licence", "citation", "input"} <= set(
            lines
        )
        assert all(isinstance(text, str) and "{" not in text for text in lines.values())
    lines = dict(card_lines(find_in_catalogue("mediar-phase1")))
    assert lines["size"] == "about 485 MB, 121.3 million parameters"
    assert lines["state"] == "can be downloaded"
    assert dict(card_lines(find_card("mediar-starter")))["size"].startswith("10.9 MB")


def test_cards_come_back_as_they_were_written(tmp_path: Path, cache: Path) -> None:
    for card in list_catalogue():
        card.write(tmp_path)
        assert ModelCard.read(tmp_path) == card
