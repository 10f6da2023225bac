"""Downloads of a collection of stacks: its files one by one, or published archives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from napari_ssp.datasets.tables import Problems, find_tables, read_tables
from napari_ssp.datasets.unpacking import unpack
from napari_ssp.io.objects.tables import read_rows
from napari_ssp.registry.transfer.download import download
from napari_ssp.registry.transfer.item import Download, RetryPolicy
from napari_ssp.registry.transfer.reaching import explained

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_ssp.progress import Steps

#: Where the Allen Institute for Cell Science publishes the label-free collection, one archive per
#: dataset.
PUBLISHED_URL = (
    "https://s3-us-west-2.amazonaws.com/downloads.allencell.org/publication-data/"
    "label-free-prediction"
)
_STARTS = {".czi": b"ZISRAWFILE", ".gz": b"\x1f\x8b"}
# The tables' paths begin with the folder that holds the datasets.
_ROOT = "data"


@dataclass(frozen=True)
class FetchRequest:
    """What to download, and where to.

    Attributes
    ----------
    tables : tuple of pathlib.Path
        CSV files, one per structure, or folders of them. A column ``url`` says where a file is;
        columns ``sha256``, ``md5`` and ``size`` how to know it.
    output : pathlib.Path
        Folder of the files, in one folder per dataset.
    base_url : str
        Where the files are that have no ``url``.
    archives : bool
        There is one archive, NAME.tar.gz, per dataset; otherwise files as the tables name them.
    checksums : pathlib.Path or None
        List as sha256sum or md5sum print it.
    keep_archives : bool
        Do not delete an archive after its files were unpacked.
    retry_policy : Patience
        How long to go on when the connection is lost.
    """

    tables: tuple[Path, ...]
    output: Path
    base_url: str = PUBLISHED_URL
    archives: bool = True
    checksums: Path | None = None
    keep_archives: bool = False
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True)
class FetchedData:
    """What was downloaded.

    Attributes
    ----------
    folder : pathlib.Path
        Where it is.
    fetched, kept : int
        Files of the tables that came now, and that were there already.
    """

    folder: Path
    fetched: int
    kept: int


def fetch_steps(request: FetchRequest) -> Steps[FetchedData]:
    """Download all files of the tables that are not there yet.

    Yields
    ------
    Progress
        Bytes of the file that is being downloaded.

    Returns
    -------
    FetchedData
        Where the files are.

    Raises
    ------
    ConnectionError
        If a server cannot be reached. What was loaded is kept.
    ValueError
        With the list of rows that are wrong, before the download; after it with the list of files
        that could not be had.
    """
    read_tables(request.tables)
    wanted, problems = _wanted(request), Problems()
    before = {item.path: _stamp(item.path) for item in wanted}
    yield from _each([item for item in wanted if item.url], request.retry_policy, problems)
    if request.archives:
        absent = [item for item in wanted if not item.url and not item.path.is_file()]
        yield from _archives(request, absent, problems)
    for item in wanted if not problems.lines else ():
        if not item.path.is_file():
            problems.add(f"{item.path.relative_to(request.output)} was not in its archive")
    problems.check("problems with the download", "All other files are there. Start again later.")
    kept = sum(_stamp(path) == stamp for path, stamp in before.items())
    return FetchedData(request.output, len(wanted) - kept, kept)


def _stamp(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None


@dataclass(frozen=True)
class _Wanted:
    """A file of the tables; without an address it is in an archive."""

    path: Path
    url: str = ""
    sha256: str = ""
    md5: str = ""
    size: int | None = None


def _wanted(request: FetchRequest) -> list[_Wanted]:
    """Every file once, checked before the first is asked for."""
    problems = Problems()
    found: dict[Path, _Wanted] = {}
    digests = _digests(request.checksums)
    for table in find_tables(request.tables).values():
        for _, cells in read_rows(table):
            try:
                item = _item(request, cells, digests)
                found.setdefault(item.path, item)
            except ValueError as error:
                problems.add(f"{table.name}: {error}")
    problems.check("problems in the tables", "Correct them and start again.")
    return list(found.values())


def _item(request: FetchRequest, cells: dict[str, str], digests: dict[str, str]) -> _Wanted:
    name = cells["path_czi"].strip().replace("\\", "/")
    path = inside(request.output, name)
    url = (cells.get("url") or "").strip()
    if not url and not request.archives:
        url = f"{request.base_url.rstrip('/')}/{quote(name)}"
    listed = _by_kind(digests.get(name) or digests.get(path.name, ""))
    sha256, md5, size = ((cells.get(kind) or "").strip() for kind in ("sha256", "md5", "size"))
    number = int(float(size)) if size else None
    item = _Wanted(path, url, sha256 or listed[0], md5 or listed[1], number)
    if url:
        _as_download(item)
    return item


def inside(folder: Path, name: str) -> Path:
    """Place of a file that a table or an archive names, which must be inside the folder.

    Raises
    ------
    ValueError
        If it leads elsewhere.
    """
    parts = PurePosixPath(name).parts
    tail = parts[1:] if len(parts) > 1 and parts[0] in (_ROOT, ".") else parts
    if not tail or ".." in parts or Path(name).is_absolute() or parts[0].endswith((":", "/")):
        raise ValueError(f"'{name}' does not lead to a file inside the folder of the collection")
    return folder.joinpath(*tail)


def _digests(file: Path | None) -> dict[str, str]:
    """Digests by name."""
    if file is None:
        return {}
    lines = [line.split(maxsplit=1) for line in file.read_text(encoding="utf-8").splitlines()]
    return {line[1].strip().lstrip("*"): line[0] for line in lines if len(line) == 2}


def _by_kind(digest: str) -> tuple[str, str]:
    """Sort a digest by its length: sha256 or md5."""
    return (digest, "") if len(digest) == 64 else ("", digest)


def _as_download(item: _Wanted) -> Download:
    start = _STARTS.get(item.path.suffix.lower(), b"")
    return Download(item.url, item.path, item.sha256, item.md5, item.size, start)


def _each(items: Iterable[_Wanted], retry_policy: RetryPolicy, problems: Problems) -> Steps[None]:
    for item in items:
        try:
            yield from explained(download(_as_download(item), retry_policy))
        except (ValueError, FileNotFoundError, PermissionError) as error:
            problems.add(str(error))


def _archives(request: FetchRequest, items: list[_Wanted], problems: Problems) -> Steps[None]:
    """Download and unpack the archive of every dataset that lacks a file."""
    digests = _digests(request.checksums)
    for name in sorted({item.path.parent.name for item in items}):
        archive = request.output / f"{name}.tar.gz"
        url = f"{request.base_url.rstrip('/')}/{archive.name}"
        wanted = _Wanted(archive, url, *_by_kind(digests.get(archive.name, "")))
        before = len(problems.lines)
        yield from _each([wanted], request.retry_policy, problems)
        if len(problems.lines) > before:
            continue
        try:
            yield from unpack(archive, lambda member: inside(request.output, member))
        except ValueError as error:
            problems.add(str(error))
            continue
        if not request.keep_archives:
            archive.unlink()
