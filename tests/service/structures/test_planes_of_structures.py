"""Structures of single planes: learned from images without z, and predicted from such."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

import napari_ssp as ssp
from napari_ssp.progress import run
from napari_ssp.registry import ModelCard, find_card
from napari_ssp.service import PredictRequest, TrainStructuresRequest, plan_prediction
from napari_ssp.service.training.steps import train_steps

if TYPE_CHECKING:
    from pathlib import Path

PLANE = np.random.default_rng(1).integers(0, 60_000, (40, 52)).astype(np.uint16)


@pytest.fixture
def planar(tiny_structures: Path, tmp_path: Path) -> Path:
    """The tiny model, as if its DNA had been learned from planes."""
    card = ModelCard.read(tiny_structures)
    folder = tmp_path / "planar"
    folder.mkdir()
    (folder / card.weights_file).write_bytes(card.weights.read_bytes())
    replace(card, from_planes=("dna",)).write(folder)
    return folder


def _plan(image: Any, model: Path, *tasks: str) -> Any:
    return plan_prediction(PredictRequest(image, tasks, str(model)))


def _pairs(folder: Path, task: str, count: int, shape: tuple[int, ...]) -> Path:
    rng = np.random.default_rng(0)
    for part in ("signal", "target"):
        (folder / task / part).mkdir(parents=True)
    for k in range(count):
        signal = rng.integers(0, 200, shape).astype(np.uint8)
        for part, pixels in (("signal", signal), ("target", 255 - signal)):
            tifffile.imwrite(folder / task / part / f"s{k}.tif", pixels, photometric="minisblack")
    return folder / task


def _trained(data: Path, base: Path, output: Path) -> Any:
    request = TrainStructuresRequest(
        (data,),
        output,
        base=str(base),
        crop=(16, 32, 32),
        batch_size=2,
        steps=2,
        recipe="few-images",
        install="never",
    )
    return run(train_steps(request))


def test_a_plane_is_predicted_as_a_stack_of_one(planar: Path) -> None:
    image = ssp.MicroscopyImage(PLANE, "yx", (1.0, 0.29, 0.29), name="field")
    assert _plan(image, planar, "dna").summary.startswith("2D 40 × 52 pixels of 0.29 × 0.29 µm, ")
    request = PredictRequest(image, ("dna",), str(planar), spread=True)
    with ssp.ModelService() as service:
        found = service.submit(request).result()
    assert found.axes == "yx"
    assert not found.warnings
    stack = ssp.predict_structures(PLANE[None], "dna", planar, axes="zyx", voxel_size=(0.29,) * 3)
    np.testing.assert_array_equal(found.images["dna"], stack["dna"][0])
    assert found.spread["dna"].shape == PLANE.shape
    made = found.image(found.images["dna"])
    assert (made.axes, made.voxel_size) == ("yx", (1.0, 0.29, 0.29))


def test_pixels_of_another_size_are_resampled_and_come_back(planar: Path) -> None:
    image = ssp.MicroscopyImage(PLANE, "yx", (5.0, 0.58, 0.145))
    plan = _plan(image, planar, "dna")
    assert plan.network_shape == (1, 80, 26)
    assert not plan.warnings, "nothing is said about a depth that a plane has not"
    assert ssp.predict_structures(image, "dna", planar)["dna"].shape == PLANE.shape


def test_planes_are_refused_where_stacks_were_learned(planar: Path, tiny_structures: Path) -> None:
    image = ssp.MicroscopyImage(PLANE, "yx")
    with pytest.raises(ValueError, match=r"no z.* Of 'tiny-structures' a plane is enough for: dna"):
        _plan(image, planar, "dna", "nucleoli")
    with pytest.raises(ValueError, match=r"no z.*axes='zyx'\.$"):
        _plan(image, tiny_structures, "dna")
    with pytest.raises(ValueError, match="Choose at least one structure"):
        _plan(image, planar)


def test_a_stack_is_said_not_to_be_what_was_learned(planar: Path) -> None:
    stack = ssp.MicroscopyImage(np.stack([PLANE] * 3), "zyx", (0.29,) * 3)
    (line,) = _plan(stack, planar, "dna", "lamin_b1").warnings
    assert line.startswith("dna of 'tiny-structures' was learned from single planes, and here 3")
    one = PredictRequest(stack, ("dna",), str(planar), z_range=(1, 2))
    assert not plan_prediction(one).warnings


def test_objects_are_found_through_a_plane(planar: Path, finding_model: Path) -> None:
    image = ssp.MicroscopyImage(PLANE, "yx", (1.0, 0.29, 0.29), name="field")
    choices: dict[str, Any] = {"flow_threshold": 0, "min_size": 4, "device": "cpu"}
    found = ssp.segment(image, finding_model, through="dna", through_model=planar, **choices)
    assert found.predicted is not None
    assert (found.axes, found.predicted.axes) == ("yx", "yx")
    dna = ssp.predict_structures(image, "dna", planar, device="cpu")["dna"]
    expected = ssp.segment(
        ssp.MicroscopyImage(dna, "yx", (1.0, 0.29, 0.29)), finding_model, **choices
    )
    np.testing.assert_array_equal(found.labels, expected.labels)
    assert found.table is not None
    assert len(found.table["label"]) == expected.num_objects > 0


def test_a_structure_is_learned_from_planes_and_predicted_from_one(
    tmp_path: Path, tiny_structures: Path
) -> None:
    model = _trained(_pairs(tmp_path, "wall", 2, (40, 176)), tiny_structures, tmp_path / "run")
    card = find_card(model.folder)
    assert card.tasks == ("dna", "lamin_b1", "nucleoli", "wall")
    assert card.from_planes == ("wall",)
    assert "trained on 2 planes" in card.description
    assert ssp.predict_structures(PLANE, "wall", model.folder)["wall"].shape == PLANE.shape
    later = _trained(_pairs(tmp_path, "actin", 2, (16, 40, 176)), model.folder, tmp_path / "again")
    assert find_card(later.folder).from_planes == ("wall",)
    stacks = _trained(
        _pairs(tmp_path / "deep", "wall", 2, (16, 40, 176)), model.folder, tmp_path / "deeper"
    )
    assert find_card(stacks.folder).from_planes == ()
