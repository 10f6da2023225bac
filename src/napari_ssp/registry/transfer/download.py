"""Downloads of files: resumed where they stopped, verified before they get their name."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from napari_ssp.progress import Progress, Steps
from napari_ssp.registry.digests import Digests, verify_file
from napari_ssp.registry.transfer.http_answers import (
    ElsewhereError,
    TransientError,
    check_answer,
    check_start,
    file_version,
)
from napari_ssp.registry.transfer.item import Download, RetryPolicy
from napari_ssp.registry.transfer.partial_file import PartialFile

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from requests import Response, Session

_CHUNK = 2**20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


#: Patience of downloads for which nobody asks for another.
USUAL_PATIENCE = RetryPolicy()


def download(item: Download, retry_policy: RetryPolicy = USUAL_PATIENCE) -> Steps[Path]:
    """Download a file, or finish one that was begun; a verified file is left as it is.

    Parameters
    ----------
    item : Download
        What to download, and how to know it.
    retry_policy : Patience
        How long to go on when the connection is lost. The rest is asked for again each time.

    Yields
    ------
    Progress
        Bytes so far and in all. Closing the generator keeps what was loaded for the next time.

    Returns
    -------
    pathlib.Path
        The file, complete and verified.

    Raises
    ------
    ConnectionError
        If the server cannot be reached or stops answering.
    FileNotFoundError
        If the server has no such file.
    OSError
        If the file cannot be written.
    PermissionError
        If the server refuses to give it.
    ValueError
        If what came is not the file: a web page, another length, another digest.
    """
    if item.path.is_file() and (yield from _is_verified(item)):
        return item.path
    item.path.parent.mkdir(parents=True, exist_ok=True)
    part = PartialFile(item.path, item.url, item.size)
    for is_last in (False, True):
        yield from _load_cleanly(item, part, retry_policy)
        try:
            yield from _verify(item, part.file)
            break
        except ValueError:
            # Put together from two versions of the file? Then once more, from the start.
            was_resumed = part.was_resumed
            part.remove()
            if is_last or not was_resumed:
                raise
    part.file.replace(item.path)
    part.remove()
    return item.path


def _load_cleanly(item: Download, part: PartialFile, retry_policy: RetryPolicy) -> Steps[None]:
    """Load, and leave nothing empty behind."""
    try:
        yield from _load(item, part, retry_policy)
    except (ValueError, OSError):
        if not part.size:
            part.remove()
        raise


def _load(item: Download, part: PartialFile, retry_policy: RetryPolicy) -> Steps[None]:
    """Ask for the rest until all is there."""
    from requests import Session

    failures, asked = 0, item.url
    with Session() as session:
        while not part.is_complete:
            before = part.size
            try:
                yield from _receive(replace(item, url=asked), part, session, retry_policy)
                return
            except ElsewhereError as page:
                # Once: a page behind the page is no file.
                if asked != item.url:
                    raise ValueError(
                        f"{item.url} asks for a confirmation again and again. Download it in a "
                        "browser."
                    ) from None
                asked = page.url
            except TransientError as error:
                failures = 1 if part.size > before else failures + 1
                if failures >= retry_policy.attempts:
                    raise ConnectionError(
                        f"{item.url} could not be downloaded: {error}. {failures} attempts in a "
                        f"row failed; {part.size} bytes are kept for the next run."
                    ) from error
                wait = min(retry_policy.first_wait * 2 ** (failures - 1), retry_policy.longest_wait)
                yield from _wait(item, part, max(wait, min(error.wait, retry_policy.longest_wait)))


def _wait(item: Download, part: PartialFile, seconds: float) -> Generator[Progress, None, None]:
    """Pause in short steps, so that a cancel is heard."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        yield Progress(f"waiting to try {item.path.name} again", part.size, part.total or 0)
        time.sleep(min(left, 0.2))


def _receive(
    item: Download, part: PartialFile, session: Session, retry_policy: RetryPolicy
) -> Generator[Progress, None, None]:
    """Send one request and store what comes, until the file is complete or the line breaks."""
    from requests import exceptions
    from urllib3.exceptions import HTTPError

    try:
        with session.get(
            item.url,
            headers=part.headers(),
            stream=True,
            timeout=(retry_policy.connect, retry_policy.silence),
        ) as response:
            yield from _store(item, part, response)
    except exceptions.SSLError as error:
        if "certificate" not in str(error).lower():
            raise TransientError(_reason(error)) from error
        raise ConnectionError(
            f"The identity of {urlsplit(item.url).hostname} could not be verified: {error}. Check "
            "the computer's date, and ask who runs the network if it inspects connections."
        ) from error
    except (exceptions.InvalidURL, exceptions.InvalidSchema, exceptions.TooManyRedirects) as error:
        raise ValueError(f"{item.url} leads nowhere: {error}. Check the address.") from error
    except (exceptions.RequestException, HTTPError) as error:
        raise TransientError(_reason(error)) from error
    if part.total is not None and part.size < part.total:
        raise TransientError("the connection was closed early")


def _store(
    item: Download, part: PartialFile, response: Response
) -> Generator[Progress, None, None]:
    check_answer(item, response)
    offset, total = _placed(part, response)
    if total is not None and item.size not in (None, total):
        raise ValueError(
            f"{item.url} is {total} bytes long, but {item.size} were expected. It was replaced or "
            "the list is of another version; nothing was kept."
        )
    part.was_resumed = offset > 0
    part.note(file_version(response), total if total is not None else item.size)
    with part.file.open("r+b" if offset else "wb") as file:
        file.truncate(offset)
        file.seek(offset)
        # As sent: a server that calls a .tar.gz "compressed content" must not have it unpacked.
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            if file.tell() == 0:
                check_start(item, chunk)
            file.write(chunk)
            yield Progress(f"downloading {item.path.name}", file.tell(), part.total or 0)


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


def _is_verified(item: Download) -> Generator[Progress, None, bool]:
    try:
        yield from _verify(item, item.path)
    except ValueError:
        return False
    return True


def _verify(item: Download, file: Path) -> Generator[Progress, None, None]:
    """Compare length and digests with the known ones.

    Raises
    ------
    ValueError
        If one differs.
    """
    size = file.stat().st_size
    if item.size not in (None, size):
        raise ValueError(
            f"{item.path.name} from {item.url} is {size} bytes long, but {item.size} were "
            "expected. It was not kept."
        )
    known, name = Digests(item.sha256, item.md5), f"{item.path.name} from {item.url}"
    yield from verify_file(file, known, f"verifying {item.path.name}", name)


def _reason(error: Exception) -> str:
    """Message of what went wrong, without that of the retries around it."""
    inner = error.args[0] if error.args else error
    return str(getattr(inner, "reason", None) or error)
