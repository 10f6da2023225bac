"""Base of the commands that make an image of each image."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.atomic import check_target
from napari_ssp.cli.files import make_folder, refuse_existing
from napari_ssp.cli.reporting import USER_ERRORS, fail, json_option, one_line, say, write_report
from napari_ssp.service import ModelService
from napari_ssp.service.compute.places import HELP as COMPUTE_HELP, LOCAL, find_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_ssp.service.requests import SourceRequest

#: Does one request and writes its target; gives a line for a person and a row of the report.
Work = Callable[[ModelService, Any, Path], tuple[str, dict[str, Any]]]
#: Makes the report of the rows of all images.
Conclude = Callable[[list[dict[str, Any]]], dict[str, Any]]

#: Words of an error, or none, and a row of the report.
End = tuple[str, dict[str, Any]]

#: Options of all such commands, after their own.
_ENDS = (
    click.option(
        "--compute", default=LOCAL, show_default=True, metavar="WHERE", help=f"{COMPUTE_HELP}."
    ),
    click.option(
        "--format",
        "kind",
        type=click.Choice(["tiff", "zarr"]),
        default="tiff",
        show_default=True,
        help="OME-TIFF, or OME-Zarr for large images.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace outputs that exist."),
    json_option,
)


@dataclass(frozen=True)
class Batch:
    """Where and how the results of a command's images are made and written."""

    output: Path
    compute: str
    kind: str
    overwrite: bool
    json_path: Path | None

    def prepare(self, targets: Iterable[Path]) -> None:
        """Make the folder, unless a target exists that is not to be replaced (a ValueError).

        A report that could not be written is refused here as well, not after the work.
        """
        find_place(self.compute)
        refuse_existing(targets, self.overwrite)
        make_folder(self.output)
        if self.json_path is not None and str(self.json_path) != "-":
            check_target(self.json_path, overwrite=True)

    def run(
        self,
        requests: Sequence[SourceRequest],
        targets: Sequence[Path],
        work: Work,
        conclude: Conclude = lambda rows: {"images": rows},
    ) -> None:
        """Do all requests, also after one has failed; then write the report and tell errors."""
        with ModelService(self.compute) as service:

            def do(request: SourceRequest, target: Path) -> tuple[str, dict[str, Any]]:
                """Do one; the words of its error, and its row of the report."""
                try:
                    line, row = work(service, request, target)
                except USER_ERRORS as error:
                    said = one_line(error)
                    return f"{title(request)}: {said}", {**_place(request), "error": said}
                say(f"{title(request)}: {line} -> {target}")
                return "", {**_place(request), **row}

            ends = _do_all(do, list(zip(requests, targets, strict=True)), service)
        write_report(conclude([row for _, row in ends]), self.json_path)
        if errors := [error for error, _ in ends if error]:
            fail(errors)


def _do_all(do: Callable[..., End], pairs: list[Any], service: ModelService) -> list[End]:
    """Do something with each pair, in order; beside each other where there are several workers."""
    try:
        places = service.count_places()
    except OSError as error:
        fail([one_line(error)])
    if places == 1:
        return [do(*pair) for pair in pairs]
    # One more than there are workers: it reads its image meanwhile.
    pool = ThreadPoolExecutor(places + 1)
    try:
        ends = [pool.submit(do, *pair) for pair in pairs]
        while any(not one.done() for one in ends):
            wait(ends, timeout=0.2)  # in turns: Windows does not interrupt one long wait
        return [one.result(0) for one in ends]  # they have ended
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def title(request: SourceRequest) -> str:
    """File of a request, and which image of it."""
    scene = f", scene {request.scene}" if request.scene else ""
    return f"{request.image}{scene}"


def _place(request: SourceRequest) -> dict[str, str]:
    scene = {"scene": request.scene} if request.scene else {}
    return {"image": str(request.image), **scene}


def image_command(noun: str, metavar: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command that takes ``paths`` and a ``batch``.

    Parameters
    ----------
    noun : str
        What is written: "label images".
    metavar : str
        Name of an argument in the help.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def command(**given: Any) -> None:
            shared = {name: given.pop(name) for name in Batch.__dataclass_fields__}
            function(batch=Batch(**shared), **given)

        # What comes first in the help is decorated last; the command's own options stand between.
        own, command.__click_params__ = getattr(function, "__click_params__", []), []  # type: ignore[attr-defined]
        for option in reversed(_ENDS):
            command = option(command)
        command.__click_params__ += own  # type: ignore[attr-defined]
        for option in reversed(_arguments(noun, metavar)):
            command = option(command)
        return command

    return decorate


def _arguments(noun: str, metavar: str) -> tuple[Callable[[Any], Any], ...]:
    file = click.Path(exists=True, path_type=Path)
    folder = click.Path(file_okay=False, path_type=Path)
    words = f"Folder for the {noun}; made when missing."
    return (
        click.argument("paths", nargs=-1, required=True, type=file, metavar=f"{metavar}..."),
        click.option("-o", "--output", required=True, type=folder, help=words),
    )
