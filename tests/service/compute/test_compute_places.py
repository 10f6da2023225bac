"""Words for where to compute, and what is refused before anything is done."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from napari_ssp.cli import main
from napari_ssp.service import ModelService
from napari_ssp.service.compute.bundle import Bundle, Identity
from napari_ssp.service.compute.places import find_place

if TYPE_CHECKING:
    from pathlib import Path


def test_words_mean_places(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    bundle = Bundle("tls://gpu.example:8786", Identity("a", "b", "c"))
    bundle.write(path)
    assert find_place("local").kind == "local"
    assert find_place("processes").workers is None
    assert find_place("processes:4").workers == 4
    assert find_place(path).bundle == bundle
    assert find_place(str(path)).bundle == bundle
    assert find_place("tcp://127.0.0.1:8786").bundle == Bundle("tcp://127.0.0.1:8786")


def test_an_address_is_let_in_with_the_bundle_of_the_users_own_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SSP_SERVER", str(tmp_path))
    bundle = Bundle("tls://127.0.0.1:8786", Identity("a", "b", "c"))
    bundle.write(tmp_path / "napari-ssp-client.json")
    assert find_place("tls://127.0.0.1:8786").bundle == bundle
    with pytest.raises(ValueError, match="only who has its client bundle"):
        find_place("tls://gpu.example:8786")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("moon", "'moon' is no place to compute at"),
        ("processes:0", "give a number of processes"),
        ("processes:many", "give a number of processes"),
        ("tcp://10.0.0.7:8786", "not encrypted"),
        ("tcp://gpu.example:8786", "not encrypted"),
        ("tls://gpu.example", "no address of a server"),
        ("http://gpu.example:80", "no address of a server"),
    ],
)
def test_other_words_are_refused(word: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelService(word)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"address": "tls://a:1"}', "x" * 2**21])
def test_another_file_is_no_bundle(content: str, tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="no client bundle"):
        find_place(path)


def test_a_bundle_cannot_lead_to_an_open_address(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    Bundle("tls://a:1").write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"address": "tcp://10.0.0.7:1"}))
    with pytest.raises(ValueError, match="not encrypted"):
        find_place(path)


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("napari_ssp.service.compute.c")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install 'napari-ssp\[distributed\]'"):
        ModelService("processes")


def test_a_command_refuses_another_word_before_work(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"no image")
    words = ["segment", str(tmp_path / "a.tif"), "-o", str(tmp_path / "out"), "--compute", "moon"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "'moon' is no place to compute at" in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "gpu.example", "::"])
def test_nothing_public_is_served_without_tls(host: str) -> None:
    done = CliRunner().invoke(main, ["serve", "--host", host, "--no-tls"])
    assert done.exit_code == 2
    assert "run programs on this computer" in done.output or "says no place" in done.output


def test_certificates_are_kept_until_they_are_renewed_and_end_when_they_say(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    from napari_ssp.service.compute.certificates import find_expiry
    from napari_ssp.service.compute.keeping import keep_identities

    first = keep_identities(tmp_path, days=40)
    assert keep_identities(tmp_path) == first
    left = find_expiry(first[1].certificate) - datetime.now(UTC)
    assert timedelta(days=39) < left < timedelta(days=40)
    ended = keep_identities(tmp_path, renew=True, days=-1)
    assert ended[0].authority != first[0].authority
    with pytest.raises(ValueError, match="have expired"):
        keep_identities(tmp_path)
    keep_identities(tmp_path, renew=True)
    (tmp_path / "server.json").write_text("{}")
    with pytest.raises(ValueError, match="is damaged"):
        keep_identities(tmp_path)
