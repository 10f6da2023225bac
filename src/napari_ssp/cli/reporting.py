"""Output of a command: a progress bar on a terminal, one-line errors, a report for machines."""

from __future__ import annotations

import errno
import json
import math
import sys
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, Progress as ProgressBar, TextColumn, TimeRemainingColumn

from napari_ssp.atomic import is_same, passes_on, write_text
from napari_ssp.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_ssp.progress import Progress, Result, Steps
    from napari_ssp.service import Job

#: What a report says that it is.
_KIND = "napari-ssp report"


def _check_report(_: Any, option: click.Parameter, path: Path | None) -> Path | None:
    """Let a report replace only an earlier one: a wrong name must not cost an image."""
    if path is not None:
        try:
            _refuse_other(path)
        except ValueError as error:
            raise click.BadParameter(str(error), param=option) from error
    return path


def _refuse_other(path: Path) -> None:
    """Refuse to replace a file that is no report."""
    if path.is_file() and path.stat().st_size and not _is_report(path):
        raise ValueError(
            f"'{path}' exists and is no report, so it was left as it is. Give another name."
        )


def _is_report(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            # An image is not read to its end for that.
            content = json.load(file) if file.read(1) == b"{" and file.seek(0) == 0 else {}
        return bool(content.get("kind") == _KIND)
    except (OSError, ValueError, RecursionError):
        return False


def _check_apart(context: click.Context) -> None:
    """Refuse a report under the name of a file that the command reads or writes besides."""
    path = context.params["json_path"]
    if path is None or str(path) == "-" or passes_on(path):
        return
    for name, value in context.params.items():
        others = value if isinstance(value, tuple) else (value,)
        for other in others if name != "json_path" else ():
            if isinstance(other, Path) and is_same(path, other):
                raise click.UsageError(
                    f"'{path}' is read or written by this command already. Give the report of "
                    "--json another name."
                )


#: Held by the bar on display; a terminal has room for one.
_SHOWN = Lock()


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command that takes ``json_path``, where `write_report` writes its report."""

    @wraps(function)
    def command(*args: Any, **choices: Any) -> Any:
        _check_apart(click.get_current_context())
        return function(*args, **choices)

    return click.option(
        "--json",
        "json_path",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        callback=_check_report,
        help="Write a machine-readable report to FILE ('-' for standard output).",
    )(command)


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
            return result_of(job)
        finally:
            job.events.progressed.disconnect(show)


def result_of(job: Job[Any]) -> Any:
    """Wait for a job without a word; an interrupt from the keyboard cancels it."""
    try:
        while True:
            try:
                # In turns: Windows does not interrupt one long wait.
                return job.result(timeout=0.2)
            except TimeoutError:
                if job.error is not None:
                    raise
    except KeyboardInterrupt:
        # Not click's own Abort: that is a RuntimeError, and would pass for one failed image.
        job.cancel()
        raise


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


def output_console(wide: int | None = None) -> Console:
    """Console for tables; a pipe, which has no width of its own, takes the one that is given."""
    # Names of files and models may have brackets, which are no marks of rich's.
    console = Console(markup=False, highlight=False)
    if wide and not console.is_terminal:
        console.width = wide
    return console


@contextmanager
def _bar() -> Iterator[ProgressBar]:
    console = Console(stderr=True)
    words = TextColumn("{task.description}", markup=False)  # names of files may have brackets
    columns = (words, BarColumn(), TimeRemainingColumn())
    is_shown = console.is_terminal and _SHOWN.acquire(blocking=False)
    try:
        with ProgressBar(*columns, console=console, transient=True, disable=not is_shown) as bar:
            yield bar
    finally:
        if is_shown:
            _SHOWN.release()


@contextmanager
def as_usage_error() -> Iterator[None]:
    """Turn a refused value into exit code 2 with its message."""
    try:
        yield
    except USER_ERRORS as error:
        raise click.UsageError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """Message of an error, without its class where it speaks for itself."""
    return printable(str(error)) or type(error).__name__


def say(line: str) -> None:
    """Write a line for a person; work goes on where nobody can read it."""
    with suppress(OSError):
        click.echo(printable(line), err=True)


@contextmanager
def output_errors() -> Iterator[None]:
    """End with exit code 1 where the standard output takes no more; a closed pipe is no news."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # which click ends without a word
        with suppress(OSError, AttributeError):
            sys.stdout.close()  # else it would be tried again at the end
        fail([f"The output could not be written: {error.strerror or error}."])


def write_report(report: dict[str, Any], path: Path | None) -> None:
    """Write a report as JSON: to a file, to standard output for ``-``, or not at all."""
    if path is None:
        return
    if str(path) == "-":
        if sys.stdout is None:
            fail(["The standard output is closed, so the report could not be written to it."])
        click.echo(_as_json(report))
        return
    with as_usage_error():
        _refuse_other(path)  # e.g. a result of this very run
        replace_report(report, path)


def replace_report(report: dict[str, Any], path: Path) -> None:
    """Write a report in place of whatever has that name.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    write_text(path, _as_json(report) + "\n")


def _as_json(report: dict[str, Any]) -> str:
    return json.dumps(_finite({"kind": _KIND, **report}), indent=2, default=str)


def _finite(value: Any) -> Any:
    """Values that JSON can hold: it has no NaN and no infinity, so that those become null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def fail(messages: list[str]) -> NoReturn:
    """Say what failed on standard error and end with exit code 1."""
    for message in messages:
        say(f"Error: {message}")
    sys.exit(1)
