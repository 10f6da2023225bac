"""A segmentation by blocks, from file to file: the order of its pieces, and what joins them."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.atomic import check_folder_target
from napari_ssp.io.scene import is_labels_name
from napari_ssp.progress import Progress, Steps
from napari_ssp.registry.claims import claimed
from napari_ssp.service.blocks.decision import find_decision
from napari_ssp.service.blocks.describing import check_same, describe
from napari_ssp.service.blocks.estimate import MARGIN, check_possible, find_needs
from napari_ssp.service.blocks.grid import count_up, in_quarters, index_of, make_grids
from napari_ssp.service.blocks.order import Order
from napari_ssp.service.blocks.partial import PartialLabels
from napari_ssp.service.blocks.plan import plan_blocks
from napari_ssp.service.blocks.requests import BlocksResult
from napari_ssp.service.blocks.trial import decide_steps
from napari_ssp.service.blocks.unfinished import DAMAGE, LOOK, Unfinished, unfinished_folder
from napari_ssp.service.blocks.written import read_labels
from napari_ssp.service.jobs import JobState
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.requests import BlockRequest
from napari_ssp.service.segmentation.fallback import find_fallback
from napari_ssp.service.segmentation.plan import plan_segmentation
from napari_ssp.service.segmentation.run import assemble_planes, warn_of_few

if TYPE_CHECKING:
    from napari_ssp.service.blocks.decision import Decision
    from napari_ssp.service.blocks.grid import Grid, Grids
    from napari_ssp.service.blocks.order import Piece
    from napari_ssp.service.blocks.requests import SegmentZarrRequest
    from napari_ssp.service.jobs import Job
    from napari_ssp.service.model_service import ModelService
    from napari_ssp.service.requests import SegmentRequest
    from napari_ssp.service.results import Segmentation
    from napari_ssp.service.segmentation.plan import SegmentPlan

#: Seconds between two looks whether a piece is done.
_PAUSE = 0.02
_ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
_STAGES = {
    LOOK: "looking for the image",
    "range": "grey values",
    "network": "network",
    "objects": "tracking flows",
    "check": "checking flows",
    "clean": "filling holes",
    "choose": "counting pixels",
}
#: Steps whose pieces are made beside each other: the second of what the first has made by then.
_BESIDE = ("network", "objects")


@dataclass(frozen=True)
class Goal:
    """Where a result by blocks goes.

    Attributes
    ----------
    path : pathlib.Path
        Zarr of the labels; or a place in an image, "image.ome.zarr/labels/cells".
    overwrite : bool
        Replace one that is there, finished or not.
    resume : bool
        Go on with one that is not finished.
    """

    path: Path
    overwrite: bool = False
    resume: bool = False


class UnreachableError(FileNotFoundError):
    """Workers do not see the image, or the folder of the result."""


def segment_by_blocks(
    service: ModelService, request: SegmentRequest, goal: Goal, plan: SegmentPlan | None = None
) -> Steps[BlocksResult]:
    """Segment an image of any size into a Zarr, with the labels of `segment_steps`.

    Parameters
    ----------
    service : ModelService
        Who makes the pieces; each of its workers has one at a time.
    request : SegmentRequest
        Of an image by its path.
    goal : Goal
        Where the labels go. Until they are complete they lie in a folder beside it, whose name
        ends with ".unfinished" and which whatever ends the run leaves for `Goal.resume`.
    plan : SegmentPlan or None
        What the request means, where that was found out already.

    Yields
    ------
    Progress
        After each piece; its preview are `PartialLabels`.

    Returns
    -------
    BlocksResult

    Raises
    ------
    FileExistsError
        When there is a result, finished or not, and nothing was said of it.
    ValueError
        When the image cannot be done by blocks, or an unfinished result was begun otherwise.
    UnreachableError
        When workers do not see the files.
    BlockingIOError
        When another window or command is making the same result.
    OSError
        When the disk is full, or too small.
    """
    yield Progress("reading the image")
    plan = plan or plan_segmentation(request)
    check_possible(request, plan)
    request = replace(request, image=Path(str(request.image)).absolute())
    run = _Run(service, request, plan, goal)
    with claimed([unfinished_folder(goal.path)]):
        run.begin()
        yield from run.look()
        yield from run.choose_model()
        yield from run.check()
        return (yield from run.go_on())


def zarr_steps(request: SegmentZarrRequest, service: ModelService) -> Steps[BlocksResult]:
    """Segment an image from file to file as `segment_by_blocks`, going on where that is possible.

    Parameters
    ----------
    request : SegmentZarrRequest
        What to segment, and where labels go.
    service : ModelService
        Who makes the pieces.
    """
    yield Progress("reading the image")
    plan = plan_blocks(request)  # anew: since it was shown, more may be done, or all
    goal = Goal(request.path, request.overwrite, plan.resumes)
    return (yield from segment_by_blocks(service, request.segment, goal, plan.segmentation))


class _Run:
    """One such segmentation."""

    def __init__(
        self, service: ModelService, request: SegmentRequest, plan: SegmentPlan, goal: Goal
    ) -> None:
        self._service, self._request, self._plan, self._goal = service, request, plan, goal
        self._grids: Grids = make_grids(plan)
        self._unfinished = Unfinished(unfinished_folder(goal.path.absolute()))
        self._steps = self._list_steps()
        self._partial = PartialLabels(self._unfinished, plan, self._grids)
        self._decision: Decision | None = None
        self._began = time.monotonic()

    def begin(self) -> None:
        """Make the folder, or find it as it was left."""
        description = describe(self._request, self._plan, self._grids)
        folder = self._unfinished.folder
        if is_labels_name(self._goal.path):
            self._goal.path.parent.mkdir(exist_ok=True)
        check_folder_target(self._goal.path, self._goal.overwrite)
        if folder.exists() and self._goal.resume:
            check_same(self._read_description(), description, folder)
            return
        if folder.exists() and not self._goal.overwrite:
            raise FileExistsError(
                f"'{folder}' is a result that is not finished. Go on with it (--resume), begin "
                "again (--overwrite), or choose another folder."
            )
        shutil.rmtree(folder, ignore_errors=True)
        find_needs(self._request, self._plan, self._grids).check_disk(folder.parent)
        self._unfinished.begin(description)

    def look(self) -> Steps[None]:
        """Refuse workers that do not see the files."""
        try:
            yield from self._make(LOOK)
        except FileNotFoundError as error:
            if not any(map(self._unfinished.finished, self._steps)):
                shutil.rmtree(self._unfinished.folder, ignore_errors=True)
            raise UnreachableError(*error.args) from error

    def choose_model(self) -> Steps[None]:
        """Let one block say whether another model takes over, or go on with what was decided."""
        request = self._request
        decision = find_decision(self._unfinished)
        if decision is None:
            is_of_before = "fallback" not in self._read_description()
            if is_of_before or find_fallback(request) is None:
                return
            decision = yield from decide_steps(self._service, request, self._plan, self._grids)
            decision.note(self._unfinished)
        decision.check(self._unfinished)
        self._decision, self._request = decision, decision.request(request)
        if self._request is not request:
            self._plan = plan_segmentation(self._request)
            check_possible(self._request, self._plan)
            self._grids = make_grids(self._plan)
            self._steps = self._list_steps()

    def check(self) -> Steps[None]:
        """Forget pieces that were damaged, and what was made with numbers of theirs."""
        names = list(self._steps)
        for order, (step, keys) in enumerate(self._steps.items()):
            finished = sorted(self._unfinished.finished(step))
            for done, key in enumerate(finished):
                yield Progress("checking finished blocks", done, len(finished))
                if not self._is_whole(step, key):
                    self._unfinished.forget(step, key)
            # Numbers go by how many objects each block has.
            if step == "objects" and self._unfinished.finished(step) != set(keys):
                for later in names[order + 1 :]:
                    shutil.rmtree(self._unfinished.folder / "ledger" / later, ignore_errors=True)

    def go_on(self) -> Steps[BlocksResult]:
        """Make what is missing, and give the result its name."""
        for key in self._unfinished.finished("objects"):
            self._partial.add(key)
        # Objects are found while the network goes on, so that they can be looked at.
        first, *later = [step for step in self._steps if step not in _BESIDE]
        yield from self._make(first)
        yield from self._make(*_BESIDE)
        self._number_objects()
        for step in later:
            yield from self._make(step)
            if step == "choose":
                count = self._create_labels()
        return self._finish(count)

    def _list_steps(self) -> dict[str, list[str]]:
        """Keys of all pieces by step, in the order in which steps are done."""
        planes = range(len(self._plan.planes))

        def keys(grid: Grid) -> list[str]:
            return [key for plane in planes for key in grid.keys(plane)]

        full, *smaller = self._grids.labels
        # Objects of a block are found in all blocks around it.
        network = sorted(keys(self._grids.seen), key=in_quarters)
        steps = {"range": [f"{plane}-0-0" for plane in planes], "network": network}
        steps |= {name: keys(full) for name in ("objects", "check", "clean", "choose", "labels")}
        return steps | {f"level-{n}": keys(grid) for n, grid in enumerate(smaller, 1)}

    def _make(self, *steps: str) -> Steps[None]:
        """Have what is missing of steps made, as many pieces at a time as there are workers."""
        wanted = {step: self._steps.get(step, [step]) for step in steps}
        missing = {
            step: set(keys) - self._unfinished.finished(step) for step, keys in wanted.items()
        }
        pieces = [
            (step, key) for step, keys in wanted.items() for key in keys if key in missing[step]
        ]
        order = Order(pieces, {piece: self._needs(piece) for piece in pieces})
        running: dict[Job[None], Piece] = {}
        most = self._service.count_places() + 1  # one waits beside each worker's own
        try:
            while any(missing.values()):
                while len(running) < most and (piece := order.take()) is not None:
                    running[self._service.submit(self._request_of(*piece))] = piece
                for job in [job for job in running if job.state in _ENDED]:
                    step, key = piece = running.pop(job)
                    job.result(0)
                    missing[step].discard(key)
                    order.finish(piece)
                    if step == "objects":
                        self._partial.add(key)
                step = next((step for step in steps if missing[step]), steps[-1])
                stage, total = f"{_STAGES.get(step, 'writing labels')}, blocks", len(wanted[step])
                yield Progress(stage, total - len(missing[step]), total, self._partial)
                time.sleep(_PAUSE)
        finally:
            for job in running:
                job.cancel()

    def _needs(self, piece: Piece) -> set[Piece]:
        """Find the blocks of the network that objects of a block are found in."""
        step, key = piece
        if step != "objects":
            return set()
        plane, *place = index_of(key)
        full, seen = self._grids.labels[0], self._grids.seen
        box = []
        for part, n, m in zip(full.box(*place), full.shape, seen.shape, strict=True):
            scale = m / n
            reach = MARGIN * scale + max(scale, 1.0) + 1
            start = max(int(part.start * scale - reach), 0)
            box.append(slice(start, min(int(part.stop * scale + reach) + 1, m)))
        return {("network", f"{plane}-{r}-{c}") for r, c in seen.touching(tuple(box))}

    def _request_of(self, step: str, key: str) -> BlockRequest:
        return BlockRequest(self._request, self._unfinished.folder, step, key)

    def _number_objects(self) -> None:
        """Note from which number on the objects of each block are counted, plane by plane."""
        for plane in range(len(self._plan.planes)):
            keys = self._grids.labels[0].keys(plane)
            facts = [self._unfinished.facts("objects", key) for key in keys]
            born = count_up([one["count"] for one in facts])
            n_steps = max(one["n_steps"] for one in facts)
            self._unfinished.save("born", str(plane), born, n_steps=n_steps)

    def _create_labels(self) -> int:
        """Note the final numbers of each block's objects, and make room; how many there are."""
        from napari_ssp.io.ngff.writing import create_labels  # loads zarr

        facts = [self._unfinished.facts("choose", key) for key in self._steps["choose"]]
        kept = count_up([one["kept"] for one in facts])
        self._unfinished.save("kept", "all", kept)
        count = int(kept[-1]) - 1
        written = [step for step in self._steps if step not in _STAGES]
        if not any(map(self._unfinished.finished, written)):
            shutil.rmtree(self._unfinished.labels, ignore_errors=True)
            dtype = np.dtype(np.uint16 if count <= np.iinfo(np.uint16).max else np.uint32)
            place = (dtype, self._grids.chunk, self._goal.path)
            empty = self._assemble(max(count, 1))
            create_labels(self._unfinished.labels, empty.image(empty.labels), *place)
        return count

    def _assemble(self, count: int) -> Segmentation:
        """Make a result whose labels have axes and a place, but no pixels of their own."""
        labels = np.broadcast_to(np.uint32(0), (len(self._plan.planes), *self._plan.shape))
        outputs = np.broadcast_to(np.float32(0), (3, *labels.shape))
        return assemble_planes(self._plan, labels, outputs, {}, count)

    def _finish(self, count: int) -> BlocksResult:
        """Give the labels their name, and drop all pieces."""
        from napari_ssp.io.ngff.writing import place_labels  # loads zarr

        plan, card = self._plan, self._plan.card
        facts = [self._unfinished.facts("range", key) for key in self._steps["range"]]
        few = sum(one["is_little"] for one in facts)
        place_labels(self._unfinished.labels, self._goal.path, self._goal.overwrite)
        shutil.rmtree(self._unfinished.folder, ignore_errors=True)
        asked = {**self._request.provenance(), "overlap": plan.overlap}
        seconds = time.monotonic() - self._began
        record = describe_run(asked, card, self._request.device, seconds)
        warnings = (*self._assemble(count).warnings, *warn_of_few(plan, few))
        if self._decision is not None and self._decision.instead_of is not None:
            record["instead_of"] = self._decision.instead_of
            warnings += (self._decision.warning,)
        return BlocksResult(self._goal.path, count, record, warnings)

    def _is_whole(self, step: str, key: str) -> bool:
        """Whether a piece is there as its entry says."""
        try:
            if step in _STAGES:
                piece = self._unfinished.load(step, key)
            else:
                plane, row, column = index_of(key)
                level = int(step.partition("-")[2] or 0)
                box = self._grids.labels[level].box(row, column)
                piece = read_labels(self._unfinished.labels, level, plane, box)
            return self._unfinished.is_whole(step, key, piece)
        except DAMAGE:
            return False

    def _read_description(self) -> dict[str, Any]:
        try:
            return self._unfinished.describe()
        except DAMAGE as error:
            raise ValueError(
                f"'{self._unfinished.folder}' does not say what it was begun with, so it cannot "
                "go on. Begin again with --overwrite."
            ) from error
