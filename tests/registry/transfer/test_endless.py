"""Servers that never come to an end: every download does, and is cancelled at once meanwhile."""

from __future__ import annotations

import errno
import shutil
import socket
import threading
import time
from collections import namedtuple
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from download_site import HASTE

from napari_ssp.progress import run
from napari_ssp.registry.transfer import receiving
from napari_ssp.registry.transfer.download import download
from napari_ssp.registry.transfer.item import Download, RetryPolicy
from napari_ssp.registry.transfer.reaching import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    #: Answers a request, the number of which is given, on a line.
    Answer = Callable[[socket.socket, int, str], None]


@contextmanager
def answering(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """Give the address of a server that answers as it is told, and what it was asked."""
    asked: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                line, _ = server.accept()
            except OSError:
                continue
            line.settimeout(5)
            with line, suppress(OSError):
                request = line.recv(65536).decode()
                if request:  # not a look whether somebody is there
                    asked.append(request)
                    answer(line, len(asked), request)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/model.pth", asked
    finally:
        over.set()
        thread.join()
        server.close()


def _head(length: int | None, status: str = "200 OK", more: str = "") -> bytes:
    stated = "" if length is None else f"Content-Length: {length}\r\n"
    return f"HTTP/1.1 {status}\r\n{stated}{more}Connection: close\r\n\r\n".encode()


def _flood(head: bytes) -> Answer:
    def answer(line: socket.socket, number: int, request: str) -> None:
        line.sendall(head)
        while True:
            line.sendall(b"x" * 2**16)

    return answer


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_more_bytes_than_the_list_says_are_not_taken(tmp_path: Path) -> None:
    with answering(_flood(_head(None))) as (url, asked):
        item = Download(url, tmp_path / "m", size=300_000)
        with pytest.raises(ValueError, match="sends more than the 300000 bytes that were stated"):
            run(download(item, HASTE))
    assert len(asked) == 1
    assert _names(tmp_path) == []


def test_a_file_ends_where_its_server_said(tmp_path: Path) -> None:
    with answering(_flood(_head(300_000))) as (url, _):
        path = run(download(Download(url, tmp_path / "m"), HASTE))
    assert path.read_bytes() == b"x" * 300_000


def test_a_file_of_no_stated_length_has_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "UNSTATED_LIMIT", 2_000_000)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    def in_chunks(line: socket.socket, number: int, request: str) -> None:
        line.sendall(chunked)
        while True:
            line.sendall(b"10000\r\n" + b"x" * 2**16 + b"\r\n")

    for answer in (_flood(_head(None)), in_chunks):
        with answering(answer) as (url, _):
            with pytest.raises(
                ValueError, match="does not state its length and is longer than 2 MB"
            ):
                run(download(Download(url, tmp_path / "m"), HASTE))
        assert _names(tmp_path) == []


def test_a_short_file_that_is_said_to_be_long_is_not_begun(tmp_path: Path) -> None:
    with answering(_flood(_head(10**9))) as (url, _):
        with pytest.raises(ValueError, match="longer than 20 MB"):
            run(download(Download(url, tmp_path / "m", longest=20_000_000), HASTE))
    assert _names(tmp_path) == []


def test_a_file_that_the_disk_has_no_room_for_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 9 * 10**8, 10**8))
    with answering(_flood(_head(2 * 10**8))) as (url, _):
        with pytest.raises(OSError, match=r"needs 0\.2 GB more, and 0\.1 GB are free") as caught:
            run(download(Download(url, tmp_path / "m"), HASTE))
    assert caught.value.errno == errno.ENOSPC
    assert _names(tmp_path) == []


def test_a_range_that_starts_again_for_ever_ends(tmp_path: Path) -> None:
    """Every second answer gives bytes that the next one takes away."""

    def answer(line: socket.socket, number: int, request: str) -> None:
        if "Range: bytes=" in request:
            wrong = "Content-Range: bytes 5-999999/1000000\r\n"
            line.sendall(_head(999_995, "206 Partial Content", wrong))
            return
        line.sendall(_head(1_000_000) + b"x" * 200_000)

    with answering(answer) as (url, asked):
        with pytest.raises(ConnectionError, match="3 attempts in a row failed"):
            run(download(Download(url, tmp_path / "m"), HASTE))
    assert len(asked) == 3


def test_a_byte_at_each_request_ends(tmp_path: Path) -> None:
    def answer(line: socket.socket, number: int, request: str) -> None:
        place = number - 1
        more = f"Content-Range: bytes {place}-999999/1000000\r\n" if place else ""
        line.sendall(
            _head(10**6 - place, "206 Partial Content" if place else "200 OK", more) + b"x"
        )

    with answering(answer) as (url, asked):
        with pytest.raises(ConnectionError, match="3 attempts in a row failed; 3 bytes are kept"):
            run(download(Download(url, tmp_path / "m"), HASTE))
    assert len(asked) == 3


@pytest.mark.parametrize("head", [_head(10**6), b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_a_trickle_is_given_up(tmp_path: Path, head: bytes) -> None:
    def answer(line: socket.socket, number: int, request: str) -> None:
        line.sendall(head)
        for _ in range(20):
            line.sendall(b"x")
            time.sleep(0.05)

    policy = replace(HASTE, attempts=2, silence=0.3, connect=0.1)
    with answering(answer) as (url, asked):
        with pytest.raises(ConnectionError, match=r"(nothing|timed out).*2 attempts in a row"):
            run(download(Download(url, tmp_path / "m"), policy))
    assert asked  # the second attempt may have found the server still busy with the first


def test_a_trickle_is_shown_and_cancelled_at_once(tmp_path: Path) -> None:
    def answer(line: socket.socket, number: int, request: str) -> None:
        line.sendall(_head(10**6))
        for _ in range(3):
            line.sendall(b"x")
            time.sleep(0.05)
        time.sleep(1.5)

    with answering(answer) as (url, _):
        steps = download(Download(url, tmp_path / "m"), RetryPolicy())
        while next(steps).done < 3:
            pass
        began = time.monotonic()
        assert next(steps).done == 3  # nothing comes, and it is heard
        steps.close()
        assert time.monotonic() - began < 0.5
    assert (tmp_path / "m.part").read_bytes() == b"xxx"


def test_a_name_that_is_not_found_is_asked_for_once(tmp_path: Path) -> None:
    steps = download(Download("http://nowhere.invalid/m", tmp_path / "m"), RetryPolicy())
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"^nowhere\.invalid could not be reached: its name"):
        run(steps)
    assert time.monotonic() - began < 5
    assert _names(tmp_path) == []


def test_a_server_that_does_not_take_the_line_is_left_in_time(tmp_path: Path) -> None:
    """Its queue is full, so that the system answers nobody."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        place = server.getsockname()
        lines = [socket.socket() for _ in range(4)]
        for line in lines:
            line.setblocking(False)
            line.connect_ex(place)
        item = Download(f"http://127.0.0.1:{place[1]}/m", tmp_path / "m")
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="did not answer"):
            run(download(item, replace(HASTE, reach=0.5)))
        assert time.monotonic() - began < 2
        for line in lines:
            line.close()


def test_a_server_that_is_gone_after_a_part_is_asked_again(tmp_path: Path) -> None:
    """What was reached once may come back: a network that is changed, a machine that restarts."""
    place: list[socket.socket] = []

    def answer(line: socket.socket, number: int, request: str) -> None:
        if number == 1:
            line.sendall(_head(300_000, more='ETag: "a"\r\n') + b"x" * 100_000)
            place[0].close()
            return

    server = socket.create_server(("127.0.0.1", 0))
    place.append(server)

    def serve() -> None:
        while True:
            line, _ = server.accept()
            with line:
                request = line.recv(65536)
                if request:
                    answer(line, 1, request.decode())
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    item = Download(f"http://127.0.0.1:{server.getsockname()[1]}/m", tmp_path / "m")
    with pytest.raises(ConnectionError, match=r"3 attempts in a row failed; 100000 bytes are kept"):
        run(download(item, HASTE))
    thread.join()
