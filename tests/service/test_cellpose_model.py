"""cellpose's model in the list and through Segment.

cellpose and its weights are not here: a module with the arguments and results of cellpose 4.2
stands in for it, so that what we pass on and what we make of the answer is tested, no more.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import napari_ssp as ssp
from napari_ssp.progress import run
from napari_ssp.registry import find_card, is_installed, load_model, removable, verify_steps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MODULE = """
import numpy as np
from scipy import ndimage

class CellposeModel:
    calls = []

    def __init__(self, gpu=False, pretrained_model="cpsam_v2", device=None, use_bfloat16=True):
        self.pretrained_model = __file__
        self.device = device

    def eval(self, x, batch_size=8, channel_axis=None, normalize=True, diameter=None,
             flow_threshold=0.4, cellprob_threshold=0.0, min_size=15):
        self.calls.append((x.shape, diameter, cellprob_threshold, min_size))
        logits = np.where(x[..., 0] > 50, 4.0, -4.0)
        masks, _ = ndimage.label(logits > cellprob_threshold)
        return masks.astype(np.uint16), [None, np.ones((2, *masks.shape)), logits], None
"""


@pytest.fixture
def cellpose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, text in (("cellpose/__init__.py", ""), ("cellpose/models.py", _MODULE)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    information = tmp_path / "cellpose-4.2.1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: cellpose\nVersion: 4.2.1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import cellpose.models

    yield cellpose.models
    for name in ("cellpose", "cellpose.models"):
        sys.modules.pop(name)


def test_without_cellpose_there_is_no_model() -> None:
    pytest.importorskip("sys")
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
        image, "cellpose", axes="zyx", diameter=12, cell_threshold=0.9, device="cpu"
    )
    assert found.axes == "zyx"
    np.testing.assert_array_equal(found.labels > 0, image > 0)
    assert sorted(np.unique(found.labels)) == [0, 1, 2, 3]
    assert found.cell_probability.max() == pytest.approx(1 / (1 + np.exp(-4)))
    shape, diameter, threshold, size = cellpose.CellposeModel.calls[0]
    assert (shape, diameter, size) == ((40, 50, 3), 12, 16)
    assert threshold == pytest.approx(np.log(9))
    assert len(found.provenance["model"]["sha256"]) == 64
    part = ssp.segment(image[1], "cellpose", region=(20, 40, 20, 50), device="cpu")
    np.testing.assert_array_equal(part.labels > 0, image[1, 20:40, 20:50] > 0)


def test_what_cellpose_keeps_to_itself(cellpose: Any) -> None:
    image = np.zeros((20, 20), np.uint8)
    with pytest.raises(ValueError, match="leave mirror averaging out"):
        ssp.segment(image, "cellpose", tta=True)
    with pytest.raises(ValueError, match="not averaged with other"):
        ssp.segment(image, "cellpose+mediar-starter")
    with pytest.raises(ValueError, match="loaded by cellpose itself"):
        load_model("cellpose")
    with pytest.raises(PermissionError, match="part of cellpose"):
        removable("cellpose")
    assert run(verify_steps(["cellpose"])) == []
