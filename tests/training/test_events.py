from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_ssp.training.records import Events

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_are_read_back_by_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = Events(tmp_path)
    events.add({"step": 4, "minutes": 0.5, "loss": 0.75, "f1_0.50": math.nan})
    events.add({"step": 8, "minutes": 1.0, "loss": 0.5, "f1_0.50": 0.25})
    events.close()
    read = EventAccumulator(str(tmp_path)).Reload()
    assert read.Tags()["scalars"] == ["loss", "f1_0.50"]
    assert [(one.step, one.value) for one in read.Scalars("loss")] == [(4, 0.75), (8, 0.5)]
    assert [(one.step, one.value) for one in read.Scalars("f1_0.50")] == [(8, 0.25)]
