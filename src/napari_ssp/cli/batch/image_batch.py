"""A command's images: found, named, done one after the other or beside each other, reported."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_ssp.atomic import check_target, is_taken
from napari_ssp.cli.batch.choices import KeptChoices
from napari_ssp.cli.batch.report import BatchReport
from napari_ssp.cli.batch.running import Ending, may_pass, run_all
from napari_ssp.cli.files import (
    find_sources,
    make_folder,
    name_outputs,
    place_outputs,
    refuse_existing,
    refuse_read,
    refuse_reports,
)
from napari_ssp.cli.reporting import (
    USER_ERRORS,
    as_usage_error,
    fail,
    one_line,
    say,
    write_report,
)
from napari_ssp.io import ImageSource, is_folder
from napari_ssp.io.label_names import leave_results_out
from napari_ssp.io.ngff.reading import is_zarr
from napari_ssp.io.objects.notes import is_corrected
from napari_ssp.io.sources import with_subfolders
from napari_ssp.registry.claims import claimed
from napari_ssp.service import CancelledError, ModelService
from napari_ssp.service.compute.places import find_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_ssp.service.requests import SourceRequest

#: Does one request and writes its target; gives a line for a person and a row of the report.
Work = Callable[[ModelService, Any, Path], tuple[str, dict[str, Any]]]
#: Makes the report of the rows of all images.
Conclude = Callable[[list[dict[str, Any]]], dict[str, Any]]
#: Draws a request and its target as a PNG.
Draw = Callable[[Any, Path], bytes]


@dataclass(frozen=True)
class Batch:
    """Where and how the results of a command's images are made and written."""

    output: Path
    compute: str
    kind: str
    overwrite: bool
    json_path: Path | None
    subfolders: bool = False
    resume: bool = False
    retries: int = 0
    reports: tuple[Path, ...] = ()
    choices: Mapping[str, Any] = field(default_factory=dict)

    @property
    def replaces(self) -> bool:
        """Whether files are replaced, be it those that an attempt has left, here or earlier."""
        return self.overwrite or self.resume or self.retries > 0

    def find_sources(
        self, paths: Sequence[Path], scene: str | None, endings: Iterable[str] = ()
    ) -> list[ImageSource]:
        """Images of files and folders, as :func:`napari_ssp.cli.files.find_sources`.

        What an earlier run has put beside its images is none when it goes on: labels and flows,
        and results whose names have one of the endings.
        """
        folders = with_subfolders(paths, [self.output]) if self.subfolders else paths
        found = find_sources(folders, scene)
        if not self.resume:
            return found
        images = set(leave_results_out([source.path for source in found]))
        roots = self._roots(paths)
        named = (place_outputs(found, self.output, ending, roots) for ending in endings)
        made = {path.resolve() for path in chain.from_iterable(named)}
        return [one for one in found if one.path in images and one.path.resolve() not in made]

    def name_outputs(
        self, sources: Sequence[ImageSource], paths: Sequence[Path], ending: str
    ) -> list[Path]:
        """One output per image, as :func:`napari_ssp.cli.files.name_outputs`."""
        return name_outputs(sources, self.output, ending, self._roots(paths))

    def _roots(self, paths: Sequence[Path]) -> list[Path]:
        return [path for path in paths if self.subfolders and is_folder(path)]

    def prepare(self, outputs: Sequence[Sequence[Path]], read: Iterable[Path]) -> None:
        """Make the folders, unless an output exists that is not to be replaced (a ValueError).

        A report that could not be written is refused here as well, not after the work; so are
        outputs in the place of what is read, and other choices than those of the results that a
        run goes on with.

        Parameters
        ----------
        outputs : sequence of sequences of pathlib.Path
            Files of each image; the first one is the target.
        read : iterable of pathlib.Path
            What is read.
        """
        if self.overwrite and self.resume:
            raise ValueError("Give one of --overwrite and --resume.")
        find_place(self.compute)
        wanted = list(chain.from_iterable(outputs))
        own = [] if self.json_path is None or str(self.json_path) == "-" else [self.json_path]
        refuse_read(wanted, read)
        refuse_reports([*self.reports, *own], wanted)
        refuse_existing(wanted, self.overwrite or self.resume)
        if self.resume:
            self._find_finished(outputs)
        inside = is_zarr(self.output)
        for folder in {self.output, *(path.parent for path in wanted if not inside)}:
            make_folder(folder)
        for path in (*self.reports, *own):
            check_target(path, overwrite=True)

    def run(
        self,
        requests: Sequence[SourceRequest],
        outputs: Sequence[Sequence[Path]],
        work: Work,
        conclude: Conclude = lambda rows: {"images": rows},
        draw: Draw | None = None,
    ) -> None:
        """Do all requests, also after one has failed; then write the reports and tell errors.

        Parameters
        ----------
        requests : sequence of SourceRequest
            One per image.
        outputs : sequence of sequences of pathlib.Path
            Files of each; the first one is the target.
        work, conclude, draw
            What is done with each request, with the rows of all, and for a report's pictures.
        """
        report = BatchReport(self.reports, map(_source, requests))
        kept = KeptChoices(self.output, self.choices)
        run = _Run(requests, outputs, work, draw, report, kept)
        with ExitStack() as held:
            with as_usage_error():
                held.enter_context(claimed(chain.from_iterable(outputs)))
                finished = self._find_finished(outputs) if self.resume else set()
            ends = self._do_all(run, finished)
        in_order = [ends[number] for number in range(len(requests))]
        rows = [end.row for end in in_order]
        errors = [end.error for end in in_order if end.error] + run.report.write()
        try:
            told = conclude(rows)
        except (click.UsageError, *USER_ERRORS) as error:
            errors.append(one_line(error))
            told = {"images": rows}
        try:
            write_report(told, self.json_path)
        except click.UsageError as error:
            errors.append(one_line(error))
        finally:  # the images that failed are told, whatever cannot be written
            if errors:
                fail(errors)

    def _find_finished(self, outputs: Sequence[Sequence[Path]]) -> set[Path]:
        """Targets whose files are all there, or whose labels somebody has corrected.

        Raises
        ------
        ValueError
            When one was made with other choices.
        """
        begun = [files for files in outputs if any(map(is_taken, files))]
        kept = KeptChoices(self.output, self.choices)
        whole = kept.find_finished([files[0] for files in begun])
        return {
            target
            for target, *others in begun
            if is_taken(target)
            and (is_corrected(target) or (target in whole and all(map(is_taken, others))))
        }

    def _do_all(self, run: _Run, finished: set[Path]) -> dict[int, Ending]:
        """Do what is left to do; the reports are written also after an interrupt."""
        count = len(run.requests)
        ends = run.skip(finished) if self.resume else {}
        left = [number for number in range(count) if number not in ends]
        try:
            if left:
                with ExitStack() as held:
                    with as_usage_error():  # a cluster that cannot be reached from here
                        service = held.enter_context(ModelService(self.compute))
                    places, do = _count_places(service), partial(run.do, service)
                    run.kept.begin(run.outputs[number][0] for number in left)
                    ends |= run_all(do, left, places, self.retries)
        except BaseException:
            for line in run.report.write():
                say(line)
            raise
        return ends


@dataclass(frozen=True)
class _Run:
    """The images of a batch while they are done; each goes by its number."""

    requests: Sequence[SourceRequest]
    outputs: Sequence[Sequence[Path]]
    work: Work
    draw: Draw | None
    report: BatchReport
    kept: KeptChoices

    def skip(self, finished: set[Path]) -> dict[int, Ending]:
        """End those whose targets are finished."""
        there = [n for n, files in enumerate(self.outputs) if files[0] in finished]
        say(f"{len(there)} of {len(self.requests)} images were done before.")
        rows = {n: {**_place(self.requests[n]), "skipped": True} for n in there}
        return {n: self._end(n, Ending(row)) for n, row in rows.items()}

    def do(self, service: ModelService, number: int) -> Ending:
        """Do one."""
        request, target = self.requests[number], self.outputs[number][0]
        began = time.monotonic()
        try:
            line, row = self.work(service, request, target)
        except CancelledError:  # by an interrupt: the image did not fail
            raise
        except USER_ERRORS as error:
            said = one_line(error)
            row = {**_place(request), "error": said}
            return self._end(number, Ending(row, f"{title(request)}: {said}", may_pass(error)))
        self.kept.finish(target)
        say(f"{title(request)}: {line} -> {target}")
        seconds = round(time.monotonic() - began, 2)
        return self._end(number, Ending({**_place(request), **row, "seconds": seconds}))

    def _end(self, number: int, end: Ending) -> Ending:
        picture = b"" if end.error else self._picture(number)
        self.report.add(number, end, self.outputs[number][0], picture)
        return end

    def _picture(self, number: int) -> bytes:
        """Draw an image where that is wanted; what cannot be drawn has no picture."""
        if self.draw is None or not self.report.has_pictures:
            return b""
        try:
            return self.draw(self.requests[number], self.outputs[number][0])
        except USER_ERRORS:
            return b""


def _count_places(service: ModelService) -> int:
    try:
        return service.count_places()
    except (OSError, RuntimeError) as error:  # no connection, or processes that do not start
        fail([one_line(error)])


def title(request: SourceRequest) -> str:
    """File of a request, and which image of it."""
    scene = f", scene {request.scene}" if request.scene else ""
    return f"{request.image}{scene}"


def _source(request: SourceRequest) -> ImageSource:
    path = Path(str(request.image))
    return ImageSource(path, request.scene, path.name)


def _place(request: SourceRequest) -> dict[str, str]:
    scene = {"scene": request.scene} if request.scene else {}
    return {"image": str(request.image), **scene}
