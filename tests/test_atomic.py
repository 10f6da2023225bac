from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.atomic import atomic_folder, atomic_path, replaced_folder, write_text

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_that_may_not_be_written_to_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "a.json"
    # What the system answers on a disk that turned read-only; it names the temporary file.
    with pytest.raises(OSError, match=r"a\.json' could not be written: Read-only") as caught:
        with atomic_path(final) as temporary:
            raise OSError(errno.EROFS, "Read-only file system", str(temporary))
    assert "Choose another folder" in str(caught.value)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(PermissionError, match="may not be written to"), atomic_path(final):
        pass


def test_atomic_path_renames_at_the_end(tmp_path: Path) -> None:
    final = tmp_path / "report.ome.tif"
    with atomic_path(final) as temporary:
        assert (temporary.parent, temporary.suffixes) == (tmp_path, [".ome", ".tif"])
        temporary.write_text("done")
        assert not final.exists()
    assert final.read_text() == "done"
    assert list(tmp_path.iterdir()) == [final]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_atomic_path_removes_what_was_not_finished(
    tmp_path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), atomic_path(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_atomic_path_does_not_replace_a_file_that_came_meanwhile(tmp_path: Path) -> None:
    final = tmp_path / "a.json"
    with pytest.raises(FileExistsError), atomic_path(final) as temporary:
        temporary.write_text("ours")
        final.write_text("theirs")
    assert final.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [final]


def test_atomic_path_says_what_is_wrong_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="is a folder"), atomic_path(tmp_path):
        pass
    with (
        pytest.raises(FileNotFoundError, match="does not exist"),
        atomic_path(tmp_path / "b" / "c"),
    ):
        pass


def write_often(path: Path, letter: str) -> None:
    for _ in range(20):
        write_text(path, letter * 100_000)


@pytest.mark.parametrize("in_processes", [False, True], ids=["threads", "processes"])
def test_who_write_the_same_file_do_not_collide(tmp_path: Path, in_processes: bool) -> None:
    final = tmp_path / "metrics.csv"
    write_text(final, "a" * 100_000)
    seen = set()
    with (
        ProcessPoolExecutor(2, get_context("spawn")) if in_processes else ThreadPoolExecutor(2)
    ) as pool:
        work = [pool.submit(write_often, final, letter) for letter in "bc"]
        while not all(one.done() for one in work):
            seen.add(final.read_text())
    for one in work:
        one.result()
    assert seen <= {letter * 100_000 for letter in "abc"}
    assert final.read_text() in {"b" * 100_000, "c" * 100_000}
    assert list(tmp_path.iterdir()) == [final]


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old and longer")
    write_text(path, "µm\r\nnew\n")
    assert path.read_bytes() == "µm\r\nnew\n".encode()


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    final = tmp_path / "model.v1"
    for name in ("old", "new"):
        with replaced_folder(final) as temporary:
            (temporary / name).write_text(name)
    assert [path.name for path in final.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [final]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_a_folder_stays_when_the_new_one_is_not_finished(
    tmp_path: Path, error: type[BaseException]
) -> None:
    final = tmp_path / "model"
    with replaced_folder(final) as temporary:
        (temporary / "old").write_text("old")
    with pytest.raises(error), replaced_folder(final) as temporary:
        (temporary / "new").write_text("half")
        raise error
    assert (final / "old").read_text() == "old"
    assert list(tmp_path.iterdir()) == [final]


def test_a_folder_stays_when_the_new_one_cannot_be_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, replace = tmp_path / "model", os.replace
    with replaced_folder(final) as temporary:
        (temporary / "old").write_text("old")
    with pytest.raises(OSError, match="in use"), replaced_folder(final) as temporary:

        def refuse(source: Path, target: Path) -> None:
            if source == temporary:
                raise OSError(errno.EBUSY, "in use")
            replace(source, target)

        monkeypatch.setattr(os, "replace", refuse)
    assert (final / "old").read_text() == "old"
    assert list(tmp_path.iterdir()) == [final]


def test_only_a_zarr_is_overwritten_by_a_zarr(tmp_path: Path) -> None:
    final = tmp_path / "mine"
    final.mkdir()
    with pytest.raises(FileExistsError, match="is no Zarr"), atomic_folder(final, overwrite=True):
        pass
    (final / "zarr.json").write_text("{}")
    with atomic_folder(final, overwrite=True) as temporary:
        (temporary / ".zgroup").write_text("{}")
    assert [path.name for path in final.iterdir()] == [".zgroup"]


posix = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no FIFOs, and its devices are no files"
)


@posix
def test_a_device_is_written_to_and_stays_one() -> None:
    number = os.stat(os.devnull).st_rdev
    with atomic_path(os.devnull) as temporary:
        assert temporary.parent != os.path.dirname(os.devnull)
        temporary.write_text("away")
    assert not temporary.exists()
    assert os.stat(os.devnull).st_rdev == number


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="macOS has no /dev/full")
def test_a_full_device_says_so() -> None:
    with pytest.raises(OSError, match=r"'/dev/full' could not be written: No space.*Free some"):
        with atomic_path("/dev/full", overwrite=True) as temporary:
            temporary.write_text("too much")
    assert os.stat("/dev/full").st_rdev


@posix
def test_a_fifo_gets_the_whole_result(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.csv"
    os.mkfifo(fifo)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(fifo.read_text()))
    reader.start()
    with atomic_path(fifo) as temporary:
        temporary.write_text("a,b\n" * 50_000)
    reader.join(10)
    assert found == ["a,b\n" * 50_000]
    assert fifo.is_fifo()
    assert list(tmp_path.iterdir()) == [fifo]


@posix
def test_a_fifo_whose_reader_ends(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.csv"
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: fifo.open("rb", buffering=0).close())
    reader.start()
    with pytest.raises(OSError, match=r"program that reads it has ended"):
        with atomic_path(fifo) as temporary:
            temporary.write_bytes(bytes(10**7))
    reader.join(10)
    assert list(tmp_path.iterdir()) == [fifo]


@posix
def test_an_open_stream_is_added_to(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("before\n")
    code = "import sys; from napari_ssp.atomic import write_text\nfrom pathlib import Path\n"
    with log.open("a") as stream:
        command = [sys.executable, "-c", code + "write_text(Path('/dev/stdout'), 'report\\n')"]
        subprocess.run(command, stdout=stream, check=True)
    assert log.read_text() == "before\nreport\n"
    assert list(tmp_path.iterdir()) == [log]


@posix
def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    target = tmp_path / "disk" / "kept"
    target.write_text("old")
    link, further = tmp_path / "a.csv", tmp_path / "b.csv"
    link.symlink_to(target)
    further.symlink_to("a.csv")
    with pytest.raises(FileExistsError), atomic_path(further):
        pass
    with atomic_path(further, overwrite=True) as temporary:
        assert (temporary.parent, temporary.suffix) == (target.parent, ".csv")
        temporary.write_text("new")
    assert link.is_symlink() and further.is_symlink()
    assert (target.read_text(), further.read_text()) == ("new", "new")
    assert list(target.parent.iterdir()) == [target]


@posix
def test_a_link_to_nothing_makes_what_it_leads_to(tmp_path: Path) -> None:
    link = tmp_path / "a.csv"
    link.symlink_to("not-yet.csv")
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "not-yet.csv").read_text() == "new"


@posix
def test_links_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    away, loop = tmp_path / "away.csv", tmp_path / "loop.csv"
    away.symlink_to(tmp_path / "gone" / "a.csv")
    loop.symlink_to(loop)
    for open_target in (atomic_path, atomic_folder):
        with pytest.raises(FileNotFoundError, match=r"link to '.*a\.csv', whose folder"):
            with open_target(away, overwrite=True):
                pass
        with pytest.raises(OSError, match=r"loop\.csv' is a link that leads to itself"):
            with open_target(loop, overwrite=True):
                pass
    assert sorted(tmp_path.iterdir()) == [away, loop]


@posix
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # its name may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.csv")
        with pytest.raises(OSError, match=r"neither a file nor a stream"):
            with atomic_path("s.csv", overwrite=True):
                pass
        assert os.listdir() == ["s.csv"]


@posix
def test_a_linked_folder_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "disk" / "real.zarr", tmp_path / "a.ome.zarr"
    real.mkdir(parents=True)
    (real / "zarr.json").write_text("{}")
    link.symlink_to(real)
    with pytest.raises(FileExistsError), atomic_folder(link):
        pass
    with atomic_folder(link, overwrite=True) as temporary:
        (temporary / ".zgroup").write_text("{}")
    assert link.is_symlink()
    assert [path.name for path in real.iterdir()] == [".zgroup"]
    assert list(real.parent.iterdir()) == [real]


@posix
@pytest.mark.parametrize("kind", ["csv", "geojson", "zip", "tif"])
def test_every_writer_leaves_devices_and_links_as_they_are(tmp_path: Path, kind: str) -> None:
    from napari_ssp.io import write_labels
    from napari_ssp.io.objects.geojson import write_geojson
    from napari_ssp.io.objects.rois import write_imagej_rois
    from napari_ssp.io.objects.tables import write_table

    write = {
        "csv": lambda path, _: write_table(path, {"label": np.arange(3)}, overwrite=True),
        "geojson": lambda path, labels: write_geojson(path, labels, overwrite=True),
        "zip": lambda path, labels: write_imagej_rois(path, labels, overwrite=True),
        "tif": lambda path, labels: write_labels(path, labels, overwrite=True),
    }[kind]
    device, link = tmp_path / f"null.{kind}", tmp_path / f"link.{kind}"
    device.symlink_to(os.devnull)
    (tmp_path / "file").write_text("old")
    link.symlink_to("file")
    labels = np.eye(6, dtype=int)
    write(device, labels)
    write(link, labels)
    assert device.is_char_device() and link.is_symlink()
    assert (tmp_path / "file").read_bytes() != b"old"
    assert len(list(tmp_path.iterdir())) == 3
