"""cellpose's models in the list and through Segment.

cellpose and its weights are not here: a module with the arguments and results of cellpose 4.2
stands in for it, so that what we pass on and what we make of the answer is tested, no more. The
names were compared with cellpose 4.2.1, which ran through the same code with weights of noise.
"""

from __future__ import annotations

import hashlib
import os
import sys
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import napari_ssp as ssp
from napari_ssp.progress import run
from napari_ssp.registry import (
    ModelCard,
    download_steps,
    find_card,
    find_in_catalogue,
    is_installed,
    list_cards,
    list_catalogue,
    load_model,
    removable,
    state_words,
    verify_steps,
)
from napari_ssp.service import as_command, restore_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MODULE = """
import os
import numpy as np
from scipy import ndimage

class CellposeModel:
    loads, calls = [], []

    def __init__(self, gpu=False, pretrained_model="cpsam_v2", device=None, use_bfloat16=True):
        assert os.path.exists(pretrained_model)  # else the real one downloads
        self.pretrained_model = pretrained_model
        self.loads.append((pretrained_model, use_bfloat16))

    def eval(self, x, batch_size=8, z_axis=None, channel_axis=None, normalize=True, diameter=None,
             flow_threshold=0.4, cellprob_threshold=0.0, do_3D=False, anisotropy=None, min_size=15,
             augment=False):
        self.calls.append(dict(shape=x.shape, diameter=diameter, cellprob=cellprob_threshold,
                               min_size=min_size, augment=augment, anisotropy=anisotropy, x=x))
        logits = np.where(x[..., 0] > 50, 4.0, -4.0)
        masks, _ = ndimage.label(logits > cellprob_threshold)
        dP = np.ones((masks.ndim, *masks.shape))
        return masks.astype(np.uint16).squeeze(), [None, dP.squeeze(), logits.squeeze()], None
"""


_NUMBERS = count()


@pytest.fixture
def cellpose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    room, models = tmp_path / "room", tmp_path / "models"
    for name, text in (("cellpose/__init__.py", ""), ("cellpose/models.py", _MODULE)):
        (room / name).parent.mkdir(parents=True, exist_ok=True)
        (room / name).write_text(text)
    information = room / "cellpose-4.2.1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: cellpose\nVersion: 4.2.1\n")
    models.mkdir()
    # Others in each test: a model that is loaded stays loaded.
    torch.save({"W2": torch.full((3,), next(_NUMBERS))}, models / "cpsam_v2")
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(models))
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(room))
    import cellpose.models

    yield cellpose.models
    for name in ("cellpose", "cellpose.models"):
        sys.modules.pop(name)


def _weights(name: str = "cpsam_v2") -> str:
    return os.path.join(os.environ["CELLPOSE_LOCAL_MODELS_PATH"], name)


def test_without_cellpose_there_is_no_model() -> None:
    if "cellpose" not in sys.modules:
        with pytest.raises(FileNotFoundError, match="There is no model 'cellpose'"):
            find_card("cellpose")


def test_cellpose_segments_through_the_service(cellpose: Any) -> None:
    card = find_card("cellpose")
    assert is_installed(card)
    assert (card.makes, card.family) == ("objects", "cellpose")
    image = np.zeros((2, 40, 50), np.uint8)
    image[:, 5:15, 5:20], image[1, 25:35, 30:40] = 200, 100
    found = ssp.segment(
        image, "cellpose", axes="zyx", diameter=12, cell_threshold=0.9, device="cpu", tta=True
    )
    assert found.axes == "zyx"
    np.testing.assert_array_equal(found.labels > 0, image > 0)
    assert sorted(np.unique(found.labels)) == [0, 1, 2, 3]
    assert found.cell_probability.max() == pytest.approx(1 / (1 + np.exp(-4)))
    call = cellpose.CellposeModel.calls[0]
    assert (call["shape"], call["diameter"], call["min_size"]) == ((40, 50, 3), 12, 16)
    assert call["cellprob"] == pytest.approx(np.log(9))
    assert call["augment"]
    assert cellpose.CellposeModel.loads == [(_weights(), False)]  # once, float32 on a processor
    with open(_weights(), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    assert found.provenance["model"]["sha256"] == digest
    assert found.provenance["versions"]["cellpose"] == "4.2.1"
    part = ssp.segment(image[1], "cellpose", region=(20, 40, 20, 50), device="cpu")
    np.testing.assert_array_equal(part.labels > 0, image[1, 20:40, 20:50] > 0)
    row = ssp.segment(image[1, 9:10], "cellpose", device="cpu")  # an axis that cellpose leaves out
    assert (row.labels.shape, row.flows.shape) == ((1, 50), (2, 1, 50))


def test_objects_of_cellpose_in_3d(cellpose: Any) -> None:
    image = np.zeros((3, 40, 50), np.uint8)
    image[:, 5:15, 5:20], image[1:, 25:35, 30:40] = 200, 100
    linked = ssp.segment(image, "cellpose", axes="zyx", stacks="linked", device="cpu")
    solid = ssp.segment(
        image, "cellpose", axes="zyx", stacks="volume", voxel_size=(3, 1, 1), device="cpu"
    )
    for found in (linked, solid):
        np.testing.assert_array_equal(found.labels > 0, image > 0)
        assert found.num_objects == 2
    assert solid.flows.shape == (3, 3, 40, 50)
    call = cellpose.CellposeModel.calls[-1]
    assert (call["shape"], call["anisotropy"]) == ((3, 40, 50, 3), 3)


def test_cellpose_gets_the_nuclei_as_its_second_channel(cellpose: Any) -> None:
    channels = np.random.default_rng(0).integers(0, 200, (3, 40, 50)).astype(np.uint8)
    part = (2, 30, 5, 45)
    ssp.segment(channels, "cellpose", axes="cyx", channel=2, nuclei=0, region=part, device="cpu")
    x = cellpose.CellposeModel.calls[-1]["x"]
    np.testing.assert_array_equal(x[..., 0], channels[2, 2:30, 5:45])
    np.testing.assert_array_equal(x[..., 1], channels[0, 2:30, 5:45])
    assert not x[..., 2].any()


def test_nothing_is_downloaded_unasked(cellpose: Any, tmp_path: Path) -> None:
    content = _read(_weights())
    os.unlink(_weights())
    card = find_in_catalogue("cellpose")
    assert not is_installed(card)
    assert state_words(card) == "can be downloaded"
    assert "cellpose" not in [card.name for card in list_cards()]
    with pytest.raises(FileNotFoundError, match=r"\(about 1.22 GB from huggingface.co\) with"):
        ssp.segment(np.zeros((20, 20), np.uint8), "cellpose", device="cpu")
    assert cellpose.CellposeModel.loads == []
    # Asked for, it comes from a mirror here, and goes where cellpose looks for it.
    mirror = tmp_path / "mirror"
    mirror.write_bytes(b"<html>no weights</html>")
    with pytest.raises(ValueError, match="cpsam_v2 is"):
        run(download_steps("cellpose", [str(mirror)]))
    assert not os.path.exists(_weights())
    mirror.write_bytes(content)
    assert is_installed(run(download_steps("cellpose", [str(mirror)])))
    assert _read(_weights()) == content


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def test_a_persons_own_models_are_there(cellpose: Any) -> None:
    for name in ("my cells 2026", "cpsam"):
        torch.save({"W2": torch.ones(3)}, _weights(name))
    with open(_weights("gui_models.txt"), "w") as file:
        file.write("my cells 2026\nthat was deleted\n")
    names = [card.name for card in list_catalogue() if card.family == "cellpose"]
    assert names == ["cellpose", "cellpose-cpsam", "cellpose-my-cells-2026"]
    found = ssp.segment(np.full((20, 20), 90, np.uint8), names[2], device="cpu")
    assert cellpose.CellposeModel.loads[-1][0] == _weights("my cells 2026")
    assert restore_request(found.provenance, "x.tif").model == names[2]
    assert names[2] in as_command(found.provenance, "x.tif")
    # Trained again since: the result would be another one.
    torch.save({"W2": torch.ones(4)}, _weights("my cells 2026"))
    with pytest.raises(ValueError, match="has changed since"):
        restore_request(found.provenance, "x.tif")


def test_a_card_cannot_name_a_file_for_cellpose(tmp_path: Path) -> None:
    card = {"name": "x", "family": "cellpose", "network": {"weights": "../../x"}, "sha256": ""}
    with pytest.raises(ValueError, match="'family' must be"):
        ModelCard.from_content(card)


def test_what_cellpose_keeps_to_itself(cellpose: Any) -> None:
    image = np.zeros((20, 20), np.uint8)
    with pytest.raises(ValueError, match="leave eightfold averaging out"):
        ssp.segment(image, "cellpose", eightfold=True)
    with pytest.raises(ValueError, match="normalises images in its own way"):
        ssp.segment(image, "cellpose", normalise="region")
    with pytest.raises(ValueError, match="not averaged with other"):
        ssp.segment(image, "cellpose+mediar-starter")
    with pytest.raises(ValueError, match="loaded by cellpose itself"):
        load_model("cellpose")
    with pytest.raises(PermissionError, match="part of cellpose"):
        removable("cellpose")
    assert run(verify_steps(["cellpose"])) == []
