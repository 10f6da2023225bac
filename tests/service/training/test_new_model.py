"""A model to be trained: its name and its network are checked before any file is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_ssp.service import TrainRequest, TrainStructuresRequest, plan_training
from napari_ssp.service.training.requests import NetworkChoice

NOWHERE = Path("no-such-folder")


@pytest.mark.parametrize("name", ["../evil", "a/b", "a\\b", "nul", "COM1.x", "a\nb", "", "x" * 300])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    for request in (
        TrainRequest((NOWHERE,), NOWHERE, name=name),
        TrainStructuresRequest((NOWHERE,), NOWHERE, name=name),
    ):
        with pytest.raises(ValueError, match="cannot be the name of a model"):
            plan_training(request)


def test_an_encoder_of_a_server_is_refused() -> None:
    network = NetworkChoice(encoder="tu-hf-hub:someone/model")
    with pytest.raises(ValueError, match="no name of an encoder that is known here"):
        plan_training(TrainRequest((NOWHERE,), NOWHERE, network=network))
