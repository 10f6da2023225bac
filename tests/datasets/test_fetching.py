"""Collections from a server on this machine: file by file, or in archives."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from napari_ssp.datasets.fetching import FetchRequest, fetch_steps, inside
from napari_ssp.progress import run
from napari_ssp.registry.transfer.item import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HASTE = RetryPolicy(attempts=2, first_wait=0.01)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()
    thread.join()


def content(name: str, k: int) -> bytes:
    return b"ZISRAWFILE" + f"{name} {k} ".encode() * 5000


def table(folder: Path, name: str, rows: list[str], more: str = "") -> Path:
    path = folder / f"{name}.csv"
    header = "path_czi,channel_signal,channel_target" + more
    path.write_text("\n".join([header, *rows, ""]))
    return path


def archive(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def request(
    site: tuple[str, Path], tmp_path: Path, *tables: Path, **changes: object
) -> FetchRequest:
    values = {"base_url": site[0], "retry_policy": HASTE}
    return FetchRequest(tables, tmp_path / "out", **values | changes)


def test_archives_are_unpacked_once(site: tuple[str, Path], tmp_path: Path) -> None:
    for name in ("tom20", "zo1"):
        members = {f"{name}/{k} a.czi": content(name, k) for k in range(3)}
        archive(site[1] / f"{name}.tar.gz", members | {f"{name}/._0 a.czi": b"finder"})
    tables = [
        table(tmp_path, name, [f"data/{name}/{k} a.czi,6,3" for k in range(3)])
        for name in ("tom20", "zo1")
    ]
    dna = table(tmp_path, "dna", ["data/zo1/1 a.czi,6,5"])
    done = run(fetch_steps(request(site, tmp_path, *tables, dna)))
    assert (done.fetched, done.kept) == (6, 0)
    for name in ("tom20", "zo1"):
        for k in range(3):
            assert (done.folder / name / f"{k} a.czi").read_bytes() == content(name, k)
    assert sum(path.is_file() for path in done.folder.rglob("*")) == 6
    (site[1] / "tom20.tar.gz").unlink()
    (done.folder / "zo1" / "2 a.czi").unlink()
    again = run(fetch_steps(request(site, tmp_path, *tables)))
    assert (again.fetched, again.kept) == (1, 5)


def test_files_one_by_one_with_digests(site: tuple[str, Path], tmp_path: Path) -> None:
    folder = site[1] / "data" / "zo1"
    folder.mkdir(parents=True)
    lines = []
    for k in range(2):
        (folder / f"{k} a.czi").write_bytes(content("zo1", k))
        lines.append(f"{hashlib.md5(content('zo1', k)).hexdigest()}  {k} a.czi")
    (tmp_path / "md5.txt").write_text("\n".join(lines))
    rows = [f"data/zo1/{k} a.czi,6,3" for k in range(2)]
    asked = request(
        site, tmp_path, table(tmp_path, "zo1", rows), archives=False, checksums=tmp_path / "md5.txt"
    )
    assert run(fetch_steps(asked)).fetched == 2
    assert (tmp_path / "out" / "zo1" / "1 a.czi").read_bytes() == content("zo1", 1)
    (tmp_path / "out" / "zo1" / "1 a.czi").write_bytes(b"damaged")
    again = run(fetch_steps(asked))
    assert (again.fetched, again.kept) == (1, 1)
    assert (tmp_path / "out" / "zo1" / "1 a.czi").read_bytes() == content("zo1", 1)


def test_what_cannot_be_had_is_listed_and_the_rest_comes(
    site: tuple[str, Path], tmp_path: Path
) -> None:
    for k in (0, 1):
        (site[1] / f"{k}.czi").write_bytes(content("a", k))
    (site[1] / "2.czi").write_bytes(b"<html>Log in</html>")
    sha256 = hashlib.sha256(content("a", 0)).hexdigest()
    rows = [
        f"zo1/0.czi,6,3,{site[0]}/0.czi,{sha256}",
        f"zo1/1.czi,6,3,{site[0]}/1.czi,{sha256}",
        f"zo1/2.czi,6,3,{site[0]}/2.czi,",
        f"zo1/3.czi,6,3,{site[0]}/3.czi,",
    ]
    tables = table(tmp_path, "zo1", rows, ",url,sha256")
    with pytest.raises(ValueError, match="3 problems with the download") as caught:
        run(fetch_steps(request(site, tmp_path, tables)))
    message = str(caught.value)
    assert "1.czi has the sha256" in message.replace(f"{site[0]}/", "").replace(" from 1.czi", "")
    assert "a web page instead of 2.czi" in message
    assert "/3.czi does not exist (404 " in message
    assert [p.name for p in (tmp_path / "out").rglob("*") if p.is_file()] == ["0.czi"]


def test_damaged_archives_are_removed(site: tuple[str, Path], tmp_path: Path) -> None:
    archive(site[1] / "zo1.tar.gz", {"zo1/0.czi": content("zo1", 0)})
    whole = (site[1] / "zo1.tar.gz").read_bytes()
    (site[1] / "zo1.tar.gz").write_bytes(whole[:-30])
    tables = table(tmp_path, "zo1", ["data/zo1/0.czi,6,3"])
    with pytest.raises(ValueError, match=r"zo1\.tar\.gz is damaged"):
        run(fetch_steps(request(site, tmp_path, tables)))
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    (site[1] / "zo1.tar.gz").write_bytes(whole)
    assert run(fetch_steps(request(site, tmp_path, tables, keep_archives=True))).fetched == 1
    assert (tmp_path / "out" / "zo1.tar.gz").is_file()


def test_archives_without_the_file(site: tuple[str, Path], tmp_path: Path) -> None:
    archive(site[1] / "zo1.tar.gz", {"zo1/0.czi": content("zo1", 0)})
    tables = table(tmp_path, "zo1", ["data/zo1/1.czi,6,3"])
    with pytest.raises(ValueError, match=r"1\.czi was not in its archive"):
        run(fetch_steps(request(site, tmp_path, tables)))


def test_archives_stay_in_their_folder(site: tuple[str, Path], tmp_path: Path) -> None:
    archive(site[1] / "zo1.tar.gz", {"zo1/../../../evil": b"x"})
    tables = table(tmp_path, "zo1", ["data/zo1/0.czi,6,3"])
    with pytest.raises(ValueError, match="not lead to a file inside"):
        run(fetch_steps(request(site, tmp_path, tables)))
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd", "data/../../a", "C:/a", ""])
def test_paths_stay_inside(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="inside the folder"):
        inside(tmp_path, name)


@pytest.mark.parametrize("name", ["data/zo1/a.czi", "./zo1/a.czi", "zo1/a.czi"])
def test_the_tables_root_is_left_out(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, name) == tmp_path / "zo1" / "a.czi"


def test_faults_of_tables_come_first(site: tuple[str, Path], tmp_path: Path) -> None:
    rows = [f"../0.czi,6,3,{site[0]}/0.czi,", "zo1/1.czi,6,3,ftp://x/y,", "zo1/2.czi,6,3,,abc"]
    tables = table(tmp_path, "zo1", rows, ",url,sha256")
    with pytest.raises(ValueError, match="2 problems in the tables"):
        run(fetch_steps(request(site, tmp_path, tables)))
    assert not (tmp_path / "out").exists()
