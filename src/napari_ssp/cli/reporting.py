"""Output of a command: a progress bar on a terminal, one-line errors, a report for machines."""

from __future__ import annotations

import json
import math
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress as ProgressBar, TextColumn, TimeRemainingColumn

from napari_ssp.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_ssp.progress import Progress, Result, Steps
    from napari_ssp.service import Job

json_option = click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write a machine-readable report to FILE ('-' for standard output).",
)

#: Errors whose message is meant for the user; anything else is a defect and keeps its traceback.
USER_ERRORS = (
    ValueError,
    TypeError,
    OSError,
    ImportError,
    RuntimeError,
    MemoryError,
    IndexError,
)


def wait_for(job: Job[Any], title: str) -> Any:
    """Wait for a job, showing its progress; an interrupt from the keyboard cancels it."""
    with _bar() as bar:
        task = bar.add_task(title, total=None)

        def show(progress: Progress) -> None:
            total = progress.total or None
            bar.update(
                task, description=f"{title}: {progress.stage}", completed=progress.done, total=total
            )

        job.events.progressed.connect(show)
        try:
            while True:
                try:
                    return job.result(timeout=0.2)
                except TimeoutError:
                    if job.error is not None:
                        raise
        except KeyboardInterrupt:
            # Not click's own Abort: that is a RuntimeError, and would pass for one failed image.
            job.cancel()
            raise
        finally:
            job.events.progressed.disconnect(show)


def run_with_bar(steps: Steps[Result], title: str) -> Result:
    """Do long work in this thread, showing its progress; what it returns is returned."""
    with _bar() as bar:
        task = bar.add_task(title, total=None)
        try:
            while True:
                try:
                    progress = next(steps)
                except StopIteration as stop:
                    result: Result = stop.value
                    return result
                words = f"{title}: {progress.stage}"
                total = progress.total or None
                bar.update(task, description=words, completed=progress.done, total=total)
        finally:
            steps.close()


@contextmanager
def _bar() -> Iterator[ProgressBar]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with ProgressBar(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield bar


@contextmanager
def as_usage_error() -> Iterator[None]:
    """Turn a refused value into exit code 2 with its message."""
    try:
        yield
    except USER_ERRORS as error:
        raise click.UsageError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """Message of an error, without its class where it speaks for itself."""
    return str(error) or type(error).__name__


def write_report(report: dict[str, Any], path: Path | None) -> None:
    """Write a report as JSON: to a file, to standard output for ``-``, or not at all."""
    if path is None:
        return
    text = json.dumps(_finite(report), indent=2, default=str)
    if str(path) == "-":
        click.echo(text)
        return
    with as_usage_error():
        write_text(path, text + "\n")


def _finite(value: Any) -> Any:
    """Values that JSON can hold: it has no NaN and no infinity, so that those become null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def fail(messages: list[str]) -> None:
    """Say what failed on standard error and end with exit code 1."""
    for message in messages:
        click.echo(f"Error: {message}", err=True)
    sys.exit(1)
