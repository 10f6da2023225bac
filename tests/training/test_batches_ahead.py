"""Batches that are prepared ahead."""

from __future__ import annotations

from multiprocessing import current_process
from typing import TYPE_CHECKING

import torch

from napari_ssp.training.batches import Batch, batches_from

if TYPE_CHECKING:
    import pytest


def _batch(step: int) -> Batch:
    return (torch.tensor([step]),), (torch.tensor([-step]),)


def test_a_process_that_may_start_no_others_makes_batches_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(current_process()._config, "daemon", True)  # type: ignore[attr-defined]
    with batches_from(_batch, range(3, 9), workers=2) as batches:
        found = [int(batch[0][0]) for batch in batches]
    assert found == [3, 4, 5, 6, 7, 8]
