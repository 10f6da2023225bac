"""Downloads against a real server on this machine that drops, lies and dawdles."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from download_site import CONTENT, HASTE, MD5, SHA256, Site

import napari_ssp
from napari_ssp.progress import run
from napari_ssp.registry.transfer.download import download
from napari_ssp.registry.transfer.item import Download


def item(site: Site, folder: Path, **known: object) -> Download:
    return Download(site.url, folder / "data" / "a.czi", **known)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "known", [{}, {"sha256": SHA256}, {"md5": MD5.upper()}, {"size": len(CONTENT)}]
)
def test_a_file_comes_whole_and_once(site: Site, tmp_path: Path, known: dict) -> None:
    steps = list(download(item(site, tmp_path, **known), HASTE))
    assert (tmp_path / "data" / "a.czi").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.czi"]
    loading = [step for step in steps if step.stage == "downloading a.czi"]
    assert loading[-1].done == loading[-1].total == len(CONTENT)
    assert [step.done for step in loading] == sorted(step.done for step in loading)
    run(download(item(site, tmp_path, **known), HASTE))
    assert len(site.asked) == 1


def test_lost_connections_are_taken_up_where_they_broke(site: Site, tmp_path: Path) -> None:
    site.drops = [1_200_000, 700_000, 0, 500_000]
    run(download(item(site, tmp_path, sha256=SHA256), HASTE))
    assert (tmp_path / "data" / "a.czi").read_bytes() == CONTENT
    assert site.asked[:2] == ["", "bytes=1200000-"]
    assert site.sent == len(CONTENT)


def test_a_server_without_ranges_starts_again(site: Site, tmp_path: Path) -> None:
    site.drops, site.ranges = [1_200_000], False
    run(download(item(site, tmp_path, sha256=SHA256), HASTE))
    assert (tmp_path / "data" / "a.czi").read_bytes() == CONTENT


def test_an_unknown_length(site: Site, tmp_path: Path) -> None:
    site.length = False
    run(download(item(site, tmp_path, sha256=SHA256), HASTE))
    assert (tmp_path / "data" / "a.czi").read_bytes() == CONTENT


def test_a_closed_generator_keeps_what_it_has(site: Site, tmp_path: Path) -> None:
    steps = download(item(site, tmp_path), HASTE)
    while next(steps).done == 0:
        pass
    steps.close()
    assert names(tmp_path) == ["a.czi.part", "a.czi.part.json"]
    kept = (tmp_path / "data" / "a.czi.part").stat().st_size
    assert 0 < kept < len(CONTENT)
    run(download(item(site, tmp_path, md5=MD5), HASTE))
    assert site.asked[1] == f"bytes={kept}-"
    assert names(tmp_path) == ["a.czi"]


def test_giving_up_keeps_what_it_has(site: Site, tmp_path: Path) -> None:
    site.drops = [1_000_000, 0, 0, 0]
    with pytest.raises(ConnectionError, match="3 attempts in a row failed; 1000000 bytes are kept"):
        run(download(item(site, tmp_path), HASTE))
    run(download(item(site, tmp_path, sha256=SHA256), HASTE))
    assert site.asked[-1] == "bytes=1000000-"


@pytest.mark.parametrize("tag", ['"one"', "", 'W/"weak"'])
def test_a_file_that_changed_meanwhile_is_loaded_anew(site: Site, tmp_path: Path, tag: str) -> None:
    site.tag, site.drops = tag, [1_000_000, 0, 0, 0]
    with pytest.raises(ConnectionError):
        run(download(item(site, tmp_path), HASTE))
    site.content = CONTENT[::-1] + b"more"
    site.tag = '"two"' if tag == '"one"' else tag
    run(download(item(site, tmp_path), HASTE))
    assert (tmp_path / "data" / "a.czi").read_bytes() == site.content


def test_halves_of_two_versions_are_noticed_by_the_digest(site: Site, tmp_path: Path) -> None:
    site.tag, site.drops = "", [1_000_000, 0, 0, 0]
    with pytest.raises(ConnectionError):
        run(download(item(site, tmp_path), HASTE))
    site.content = CONTENT[::-1]
    digest = hashlib.sha256(site.content).hexdigest()
    run(download(item(site, tmp_path, sha256=digest), HASTE))
    assert (tmp_path / "data" / "a.czi").read_bytes() == site.content


def test_more_than_the_server_has(site: Site, tmp_path: Path) -> None:
    site.tag, site.drops, site.length = "", [1_000_000, 0, 0, 0], True
    with pytest.raises(ConnectionError):
        run(download(item(site, tmp_path), HASTE))
    site.content = CONTENT[:500_000]
    run(download(item(site, tmp_path), HASTE))
    assert (tmp_path / "data" / "a.czi").read_bytes() == site.content


def test_a_silent_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.drops, site.silent = [100_000], 1
    run(download(item(site, tmp_path, sha256=SHA256), HASTE))
    assert (tmp_path / "data" / "a.czi").read_bytes() == CONTENT
    assert len(site.asked) == 2


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.status = [503, 429]
    run(download(item(site, tmp_path), HASTE))
    site.status = [500, 502, 504]
    with pytest.raises(ConnectionError, match=r"504 Gateway Time-?out"):
        run(download(Download(site.url, tmp_path / "b"), HASTE))
    assert names(tmp_path) == ["a.czi"]


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, FileNotFoundError), (410, FileNotFoundError), (403, PermissionError), (400, ValueError)],
)
def test_refusals_are_not_repeated(
    site: Site, tmp_path: Path, status: int, error: type[Exception]
) -> None:
    site.status = [status]
    with pytest.raises(error, match=str(status)):
        run(download(item(site, tmp_path), HASTE))
    assert len(site.asked) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_is_no_file(site: Site, tmp_path: Path, kind: str) -> None:
    site.content, site.kind = b"\n<!DOCTYPE HTML><html>Please log in</html>", kind
    with pytest.raises(ValueError, match=r"a web page instead of a\.czi"):
        run(download(item(site, tmp_path), HASTE))
    assert names(tmp_path) == []


CONFIRM = b"""<!DOCTYPE html><html><form id="search"><input name="q" value="x"></form>
<p>Google Drive can't scan this file for viruses.</p>
<form id="download-form" action="%s" method="get">
<input type="submit" value="Download anyway"/><input type="hidden" name="id" value="A&amp;B">
<input type="hidden" name="confirm" value="t"></form></html>"""


def test_the_confirmation_page_of_google_drive_is_answered(site: Site, tmp_path: Path) -> None:
    site.pages = [CONFIRM % b"/download"]
    run(download(item(site, tmp_path, sha256=SHA256), HASTE))
    assert (tmp_path / "data" / "a.czi").read_bytes() == CONTENT
    assert site.paths == ["/data/a.czi", "/download?id=A%26B&confirm=t"]
    assert names(tmp_path) == ["a.czi"]


def test_after_a_confirmation_lost_connections_are_taken_up(site: Site, tmp_path: Path) -> None:
    site.pages, site.drops = [CONFIRM % b"/download"], [1_000_000]
    run(download(item(site, tmp_path, sha256=SHA256), HASTE))
    assert site.asked == ["", "", "bytes=1000000-"]
    assert site.sent == len(CONTENT)


def test_a_page_behind_the_page_is_no_file(site: Site, tmp_path: Path) -> None:
    site.pages = [CONFIRM % b"/download"] * 3
    with pytest.raises(ValueError, match="again and again"):
        run(download(item(site, tmp_path), HASTE))
    assert names(tmp_path) == []


@pytest.mark.parametrize("action", [b"http://elsewhere.example/download", b"https://127.0.0.1/x"])
def test_a_confirmation_never_leads_to_another_site(
    site: Site, tmp_path: Path, action: bytes
) -> None:
    site.pages = [CONFIRM % action]
    with pytest.raises(ValueError, match="a web page instead"):
        run(download(item(site, tmp_path), HASTE))
    assert len(site.asked) == 1


def test_a_quota_is_named(site: Site, tmp_path: Path) -> None:
    site.pages = [b"<html>Too many users have viewed or downloaded this file recently.</html>"]
    with pytest.raises(ValueError, match="by too many people today"):
        run(download(item(site, tmp_path), HASTE))


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"sha256": "0" * 64}, "has the sha256"),
        ({"md5": "0" * 32}, "has the md5"),
        ({"size": 17}, "3000000 bytes long, but 17 were expected"),
        ({"start": b"ZISRAWFILE"}, "begins with b'ZISRAWFILE'"),
    ],
)
def test_another_file_is_not_kept(site: Site, tmp_path: Path, known: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run(download(item(site, tmp_path, **known), HASTE))
    assert names(tmp_path) == []


def test_a_file_that_was_damaged_on_disk_is_replaced(site: Site, tmp_path: Path) -> None:
    known = item(site, tmp_path, sha256=SHA256)
    run(download(known, HASTE))
    known.path.write_bytes(b"damaged")
    run(download(known, HASTE))
    assert known.path.read_bytes() == CONTENT


def test_empty_files(site: Site, tmp_path: Path) -> None:
    site.content = b""
    assert run(download(item(site, tmp_path), HASTE)).read_bytes() == b""


def test_archives_stay_packed(site: Site, tmp_path: Path) -> None:
    site.encoding = "x-gzip"
    with pytest.raises(ValueError, match="sent packed"):
        run(download(item(site, tmp_path), HASTE))
    archive = Download(site.url, tmp_path / "a.tar.gz", sha256=SHA256)
    assert run(download(archive, HASTE)).read_bytes() == CONTENT


def test_redirects(site: Site, tmp_path: Path) -> None:
    site.location = site.url
    with pytest.raises(ValueError, match="leads nowhere"):
        run(download(item(site, tmp_path), HASTE))


def test_an_unknown_identity_is_refused(site: Site, tmp_path: Path) -> None:
    """TLS is verified: a certificate that nobody vouches for ends the download at once."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1".split()
    command = [openssl, *words, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    secure = Download(site.url.replace("http:", "https:"), tmp_path / "data" / "a.czi")
    with pytest.raises(ConnectionError, match=r"identity of 127\.0\.0\.1 could not be verified"):
        run(download(secure, HASTE))
    assert site.asked == []


def test_no_server(tmp_path: Path) -> None:
    nobody = Download("http://127.0.0.1:9/x", tmp_path / "x")
    with pytest.raises(ConnectionError, match=r"^127\.0\.0\.1 could not be reached: conn"):
        run(download(nobody))
    assert names(tmp_path) == []


@pytest.mark.parametrize("url", ["ftp://host/x", "file:///etc/passwd", "host/x", "https://"])
def test_addresses_that_are_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        Download(url, tmp_path / "x")


def test_digests_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a sha256 digest"):
        Download("https://host/x", tmp_path / "x", sha256=MD5)


def test_identities_are_verified_everywhere() -> None:
    package = Path(napari_ssp.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for words in ("verify=False", "CERT_NONE", "check_hostname", "_create_unverified"):
            assert words not in text, path.name
