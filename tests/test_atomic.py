from __future__ import annotations

import errno
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

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
