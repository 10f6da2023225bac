from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import torch
from skimage import data

from napari_ssp.progress import run
from napari_ssp.registry import ModelCard, load_model
from napari_ssp.service.training.requests import TrainRequest
from napari_ssp.service.training.steps import train_steps

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def coins(tmp_path: Path) -> Path:
    folder = tmp_path / "coins"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    tifffile.imwrite(folder / "images" / "a.tif", data.coins()[:64, :64])
    labels = (data.coins()[:64, :64] > 120).astype(np.uint16)
    tifffile.imwrite(folder / "labels" / "a_label.tif", labels)
    return folder


def test_a_base_model_is_where_learning_starts(
    coins: Path, tiny_model: Path, tmp_path: Path
) -> None:
    request = TrainRequest(
        (coins,),
        tmp_path / "run",
        base=str(tiny_model),
        steps=1,
        learning_rate=1e-7,
        batch_size=2,
        crop=64,
        encoder="mit_b0",  # the base decides, not this
        device="cpu",
    )
    model = run(train_steps(request))
    base = load_model(str(tiny_model)).state_dict()
    found = load_model(str(model.folder)).state_dict()
    assert ModelCard.read(model.folder).network == ModelCard.read(tiny_model).network
    weights = [name for name in base if name.endswith("weight")]
    for name in weights:
        torch.testing.assert_close(found[name], base[name], atol=2e-3, rtol=0)


def test_a_base_of_another_family_is_refused(
    coins: Path, tiny_structures: Path, tmp_path: Path
) -> None:
    request = TrainRequest((coins,), tmp_path / "run", base=str(tiny_structures))
    with pytest.raises(ValueError, match="family 'mediar'"):
        run(train_steps(request))
