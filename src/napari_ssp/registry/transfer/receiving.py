"""One answer of a server, written to where its bytes belong; it ends at the length it stated."""

from __future__ import annotations

import errno
import re
import shutil
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from napari_ssp.progress import Background, Progress, Steps
from napari_ssp.registry.transfer.http_answers import (
    TransientError,
    check_answer,
    check_start,
    file_version,
)
from napari_ssp.registry.transfer.item import UNSTATED_LIMIT
from napari_ssp.registry.transfer.reaching import find_unreachable

if TYPE_CHECKING:
    from collections.abc import Generator

    from requests import Response, Session

    from napari_ssp.registry.transfer.item import Download, RetryPolicy
    from napari_ssp.registry.transfer.partial_file import PartialFile

_CHUNK = 2**20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class ExcessError(ValueError):
    """More bytes than a file may have; what came is of no use."""


def receive(
    item: Download, part: PartialFile, session: Session, retry_policy: RetryPolicy
) -> Steps[None]:
    """Send one request and store what comes, until the file is complete or the line breaks."""
    from requests import exceptions
    from urllib3.exceptions import HTTPError

    pieces = Background(_pieces(item, part.headers(), session, retry_policy))
    try:
        with closing(pieces.steps()) as coming:
            yield from _store(item, part, coming, retry_policy)
    except exceptions.SSLError as error:
        if "certificate" not in str(error).lower():
            raise TransientError(_reason(error)) from error
        raise ConnectionError(
            f"The identity of {urlsplit(item.url).hostname} could not be verified: {error}. Check "
            "the computer's date, and ask who runs the network if it inspects connections."
        ) from error
    except (exceptions.InvalidURL, exceptions.InvalidSchema, exceptions.TooManyRedirects) as error:
        raise ValueError(f"{item.url} leads nowhere: {error}. Check the address.") from error
    except exceptions.RequestException as error:
        raise find_unreachable(error) or TransientError(_reason(error)) from error
    except HTTPError as error:
        raise TransientError(_reason(error)) from error
    if part.total is not None and part.size < part.total:
        raise TransientError("the connection was closed early")


def _pieces(
    item: Download, headers: dict[str, str], session: Session, retry_policy: RetryPolicy
) -> Generator[Response | bytes, None, None]:
    """Ask, and give the head of the answer, then its bytes as they come; on a thread."""
    patience = (retry_policy.connect, retry_policy.silence)
    with session.get(item.url, headers=headers, stream=True, timeout=patience) as response:
        check_answer(item, response)
        yield response
        # As sent: a server that calls a .tar.gz "compressed content" must not have it unpacked.
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            yield chunk


def _store(
    item: Download,
    part: PartialFile,
    coming: Generator[Response | bytes | None, None, None],
    retry_policy: RetryPolicy,
) -> Steps[None]:
    """Write the bytes of an answer to where they belong."""
    pace = _Pace(retry_policy)
    for head in coming:
        pace.check(0)
        yield Progress(f"downloading {item.path.name}", part.size, part.total or 0)
        if head is not None:
            break
    else:
        return
    assert not isinstance(head, bytes)
    offset, total = _placed(part, head)
    _check_total(item, part, offset, total)
    part.was_resumed = offset > 0
    part.note(file_version(head), total if total is not None else item.size)
    with part.file.open("r+b" if offset else "wb") as file:
        file.truncate(offset)
        file.seek(offset)
        for chunk in coming:
            if isinstance(chunk, bytes):
                _check_chunk(item, part, file.tell(), chunk)
                file.write(chunk)
            pace.check(file.tell() - offset)
            yield Progress(f"downloading {item.path.name}", file.tell(), part.total or 0)


class _Pace:
    """Watch over how fast bytes come: a trickle is no download."""

    def __init__(self, retry_policy: RetryPolicy) -> None:
        self._policy = retry_policy
        # The first answer may take as long as the connection besides.
        self._end = time.monotonic() + retry_policy.connect + 2 * retry_policy.silence
        self._wanted = 1

    def check(self, received: int) -> None:
        """Refuse to wait on when too little has come in the time of a silence."""
        if received >= self._wanted:
            self._end = time.monotonic() + self._policy.silence
            self._wanted = received + self._policy.progress
        elif time.monotonic() > self._end:
            raise TransientError("the server sends almost nothing")


def _check_total(item: Download, part: PartialFile, offset: int, total: int | None) -> None:
    """Refuse a file by the length that the server states."""
    if total is None:
        return
    if item.size not in (None, total):
        raise ValueError(
            f"{item.url} is {total} bytes long, but {item.size} were expected. It was replaced or "
            "the list is of another version; nothing was kept."
        )
    if item.longest is not None and total > item.longest:
        raise ValueError(
            f"{item.url} is longer than {item.longest / 1e6:.3g} MB, which such a file may not be: "
            "refused."
        )
    free = shutil.disk_usage(part.file.parent).free
    if total - offset > free:
        raise OSError(
            errno.ENOSPC,
            f"{item.path.name} needs {(total - offset) / 1e9:.3g} GB more, and {free / 1e9:.3g} GB "
            f"are free in {part.file.parent}. Free some space",
        )


def _check_chunk(item: Download, part: PartialFile, place: int, chunk: bytes) -> None:
    """Refuse bytes that do not belong to the file: of another kind, or beyond its end."""
    if place == 0:
        check_start(item, chunk)
    if part.total is not None and place + len(chunk) > part.total:
        raise ExcessError(
            f"{item.url} sends more than the {part.total} bytes that were stated: refused; nothing "
            "was kept."
        )
    most = UNSTATED_LIMIT if item.longest is None else item.longest
    if part.total is None and place + len(chunk) > most:
        raise ExcessError(
            f"{item.url} does not state its length and is longer than {most / 1e6:.3g} MB: it was "
            "refused, nothing was kept."
        )


def _placed(part: PartialFile, response: Response) -> tuple[int, int | None]:
    """Where the answer's bytes belong, and the length of the file."""
    if response.status_code == 206:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != part.size:
            part.remove()
            raise TransientError("the server sent another part than the one asked for")
        total = None if found[2] == "*" else int(found[2])
        if None not in (total, part.total) and total != part.total:
            part.remove()
            raise TransientError("the file on the server has changed")
        return part.size, total
    if response.status_code == 416:
        # More is there than the server has: another version.
        part.remove()
        raise TransientError("the file on the server has changed")
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _reason(error: Exception) -> str:
    """Message of what went wrong, without that of the retries around it."""
    inner = error.args[0] if error.args else error
    return str(getattr(inner, "reason", None) or error)
