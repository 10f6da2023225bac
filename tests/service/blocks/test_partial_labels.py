"""Objects to look at while blocks are made, and the request that makes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp.io import read_label_image
from napari_ssp.io.ngff import pyramid
from napari_ssp.service import (
    EstimateRequest,
    JobState,
    ModelService,
    PlanRequest,
    SegmentRequest,
    SegmentZarrRequest,
)
from napari_ssp.service.blocks import partial
from napari_ssp.service.blocks.order import Order
from napari_ssp.service.blocks.running import Goal, segment_by_blocks
from napari_ssp.service.blocks.unfinished import unfinished_folder

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("windows_seen_once")


@pytest.fixture(scope="module")
def request_of_stack(finding_model: Path, stack_file: Path) -> SegmentRequest:
    """Its objects are neither checked nor filled."""
    choices = {"cell_threshold": 0.3, "flow_threshold": 0.0, "min_size": 0, "hole_size": 0}
    return SegmentRequest(stack_file, str(finding_model), tile=64, overlap=0.25, **choices)


def test_pieces_wait_for_what_they_are_made_of() -> None:
    a, b, both = ("network", "a"), ("network", "b"), ("objects", "a")
    order = Order([a, b, both], {a: set(), b: set(), both: {a, b, ("network", "done before")}})
    assert [order.take(), order.take(), order.take()] == [a, b, None]
    order.finish(b)
    assert order.take() is None
    order.finish(a)
    assert [order.take(), order.take()] == [both, None]


def test_what_is_ready_comes_before_what_waits_for_nothing() -> None:
    a, b, first = ("network", "a"), ("network", "b"), ("objects", "a")
    order = Order([a, b, first], {a: set(), b: set(), first: {a}})
    order.finish(a_taken := order.take() or b)
    assert a_taken == a
    assert [order.take(), order.take()] == [first, b]


def test_labels_grow_while_the_network_goes_on(
    service: ModelService,
    request_of_stack: SegmentRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pyramid, "LARGEST_SIDE", 32)
    monkeypatch.setattr(partial, "_KEPT", 2 * 60 * 40)  # the full level is read from blocks
    target = tmp_path / "cells.zarr"
    seen: dict[int, Any] = {}
    early = False
    for step in segment_by_blocks(service, request_of_stack, Goal(target)):
        if (labels := step.preview) is not None and labels.count not in seen:
            seen[labels.count] = [np.asarray(level[:]) for level in labels.levels("zyx")]
            early |= labels.count > 0 and step.stage == "network, blocks"
    assert early
    assert list(seen) == sorted(seen) and max(seen) == 8
    before = np.zeros((2, 120, 80), bool)
    for full, *smaller in seen.values():
        assert (full > 0)[before].all()
        before = full > 0
        for number, level in enumerate(smaller, 1):
            np.testing.assert_array_equal(level, full[:, :: 2**number, :: 2**number])
    final = np.asarray(read_label_image(target).data)
    np.testing.assert_array_equal(final > 0, before)
    full = seen[8][0]
    pairs = np.unique(np.stack([full[before], final[before]]), axis=1)
    assert pairs.shape[1] == final.max() == len(np.unique(pairs[0])) > 20


def test_a_request_plans_resumes_and_ends_as_the_command(
    service: ModelService, request_of_stack: SegmentRequest, tmp_path: Path
) -> None:
    target = tmp_path / "cells.zarr"
    request = SegmentZarrRequest(request_of_stack, target)
    plan = service.submit(PlanRequest(request)).result()
    assert "8 blocks of 64 px, about " in plan.summary
    assert service.submit(EstimateRequest(request, plan)).result() > 0
    assert "GiB of disk until it is finished, written to cells.zarr" in plan.summary
    job = service.submit(request)
    job.events.progressed.connect(
        lambda now: job.cancel() if now.stage.startswith("network") and now.done > 2 else None
    )
    with pytest.raises(RuntimeError, match="cancelled"):
        job.result()
    assert job.state is JobState.CANCELLED and not target.exists()
    plan = service.submit(PlanRequest(request)).result()
    assert plan.resumes and 3 <= plan.done < plan.total == 8
    assert plan.summary.endswith(f"{plan.done} of the network's 8 blocks are done already")
    other = SegmentZarrRequest(replace(request_of_stack, min_size=9), target)
    with pytest.raises(FileExistsError, match=r"another run: min_size was 0 and is 9\. Go on"):
        service.submit(PlanRequest(other)).result()
    anew = replace(other, overwrite=True)
    assert not service.submit(PlanRequest(anew)).result().resumes
    result = service.submit(request).result()
    expected = service.submit(request_of_stack).result()
    np.testing.assert_array_equal(np.asarray(read_label_image(target).data), expected.labels)
    assert result.count == expected.num_objects
    assert not unfinished_folder(target).exists()
    for again in (PlanRequest(request), request):
        with pytest.raises(FileExistsError, match="exists already"):
            service.submit(again).result()


def test_what_blocks_cannot_do_is_refused_by_the_plan(
    service: ModelService, request_of_stack: SegmentRequest, tmp_path: Path
) -> None:
    whole = SegmentZarrRequest(replace(request_of_stack, tile=None), tmp_path / "cells.zarr")
    with pytest.raises(ValueError, match="small enough for one piece"):
        service.submit(PlanRequest(whole)).result()
    nowhere = SegmentZarrRequest(request_of_stack, tmp_path / "no" / "cells.zarr")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        service.submit(PlanRequest(nowhere)).result()
    inside = SegmentZarrRequest(request_of_stack, request_of_stack.image / "labels" / "cells")
    assert not service.submit(PlanRequest(inside)).result().resumes
