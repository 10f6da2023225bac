"""Extraction of an archive file by file; what is unpacked already is left as it is."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from typing import IO, TYPE_CHECKING

from napari_ssp.atomic import atomic_path
from napari_ssp.progress import Progress, Steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CHUNK = 2**22


def unpack(archive: Path, place: Callable[[str], Path]) -> Steps[None]:
    """Unpack the files of a .tar.gz archive; links and devices in it are left out.

    Parameters
    ----------
    archive : pathlib.Path
        The archive.
    place : callable
        Where a member goes, given its name; raises ValueError for one that may not.

    Yields
    ------
    Progress
        Bytes of the archive that were read.

    Raises
    ------
    ValueError
        If the archive is damaged; it is removed, so that it is downloaded again. Or if a member may
        not be unpacked.
    """
    size = archive.stat().st_size
    try:
        with archive.open("rb") as raw, tarfile.open(fileobj=raw, mode="r:gz") as tar:
            for member in tar:
                if member.isfile() and not member.name.rpartition("/")[2].startswith("._"):
                    _unpack_one(tar.extractfile(member), place(member.name), member.size)
                yield Progress(f"unpacking {archive.name}", raw.tell(), size)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        archive.unlink()
        raise ValueError(
            f"{archive.name} is damaged ({error}) and was removed. Start again to download it anew."
        ) from error


def _unpack_one(source: IO[bytes] | None, target: Path, size: int) -> None:
    if source is None or (target.is_file() and target.stat().st_size == size):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target, overwrite=True) as temporary, temporary.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
