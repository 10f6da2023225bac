"""Downloads of files: resumed where they stopped, verified before they get their name."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_ssp.progress import Progress, Steps
from napari_ssp.registry.digests import Digests, verify_file
from napari_ssp.registry.transfer.http_answers import ElsewhereError, TransientError
from napari_ssp.registry.transfer.item import Download, RetryPolicy
from napari_ssp.registry.transfer.partial_file import PartialFile
from napari_ssp.registry.transfer.reaching import UnreachableError, reach_steps
from napari_ssp.registry.transfer.receiving import ExcessError, receive

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

#: Patience of downloads for which nobody asks for another.
USUAL_PATIENCE = RetryPolicy()


def download(item: Download, retry_policy: RetryPolicy = USUAL_PATIENCE) -> Steps[Path]:
    """Download a file, or finish one that was begun; a verified file is left as it is.

    Parameters
    ----------
    item : Download
        What to download, and how to know it.
    retry_policy : RetryPolicy
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
        If the server stops answering.
    UnreachableError
        If it cannot be reached: its name is not found, it refuses, or it does not answer.
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
    except (ValueError, OSError) as error:
        if not part.size or isinstance(error, ExcessError):
            part.remove()
        raise


def _load(item: Download, part: PartialFile, retry_policy: RetryPolicy) -> Steps[None]:
    """Ask for the rest until all is there."""
    from requests import Session

    failures, asked, begun = 0, item.url, part.size
    most = begun
    with Session() as session:
        while not part.is_complete:
            try:
                if not failures:
                    yield from reach_steps(asked, retry_policy.reach)
                yield from receive(replace(item, url=asked), part, session, retry_policy)
                return
            except ElsewhereError as page:
                asked = _other_address(item, asked, page)
            except (TransientError, UnreachableError) as error:
                # What is not kept is no progress: a server that starts again and again is left.
                failures = 1 if part.size >= most + retry_policy.progress else failures + 1
                most = max(most, part.size)
                if isinstance(error, UnreachableError) and most == begun:
                    raise
                if failures >= retry_policy.attempts:
                    raise _given_up(item, part, failures, error) from error
                yield from _wait(item, part, _pause(retry_policy, failures, error))


def _other_address(item: Download, asked: str, page: ElsewhereError) -> str:
    """Address that a page leads to; once, since a page behind the page is no file."""
    if asked != item.url:
        raise ValueError(
            f"{item.url} asks for a confirmation again and again. Download it in a browser."
        ) from None
    return page.url


def _given_up(
    item: Download, part: PartialFile, failures: int, error: Exception
) -> ConnectionError:
    return ConnectionError(
        f"{item.url} could not be downloaded: {error}. {failures} attempts in a row failed; "
        f"{part.size} bytes are kept for the next run."
    )


def _pause(retry_policy: RetryPolicy, failures: int, error: Exception) -> float:
    """Seconds before the next attempt: as the server wishes, within limits."""
    wait = min(retry_policy.first_wait * 2.0 ** (failures - 1), retry_policy.longest_wait)
    asked = error.wait if isinstance(error, TransientError) else 0.0
    return max(wait, min(asked, retry_policy.longest_wait))


def _wait(item: Download, part: PartialFile, seconds: float) -> Generator[Progress, None, None]:
    """Pause in short steps, so that a cancel is heard."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        yield Progress(f"waiting to try {item.path.name} again", part.size, part.total or 0)
        time.sleep(min(left, 0.2))


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
