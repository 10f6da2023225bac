from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp import MicroscopyImage, PredictRequest, SegmentRequest
from napari_ssp.engine import EIGHT_VIEWS, MEDIAR_VIEWS
from napari_ssp.registry import find_card
from napari_ssp.service import plan_segmentation
from napari_ssp.service.segmentation.plan import NUM_EIGHTFOLD, NUM_MIRRORED
from napari_ssp.service.stack_grid import AP_OF_LINKED, AP_OF_VOLUMES

if TYPE_CHECKING:
    from pathlib import Path


def _plan(tiny_model: Path, image: Any, **choices: Any) -> Any:
    return plan_segmentation(SegmentRequest(image, str(tiny_model), **{"tta": False} | choices))


def test_summary_of_a_colour_image(tiny_model: Path) -> None:
    image = MicroscopyImage(np.zeros((100, 90, 3), np.uint8), "yxc", (1, 0.5, 0.5), rgb=True)
    plan = _plan(tiny_model, image)
    assert plan.summary == "2D RGB, 0.5 µm/px, 1 plane, 90 × 100 px, 9 windows"


def _model_with(tiny_model: Path, folder: Path, **entries: Any) -> Path:
    shutil.copytree(tiny_model, folder)
    replace(find_card(folder), **entries).write(folder)
    return folder


def test_a_model_that_magnifies_needs_more_windows(tiny_model: Path, tmp_path: Path) -> None:
    model = _model_with(tiny_model, tmp_path / "model", zoom=2.0)
    assert _plan(model, np.zeros((64, 64)), overlap=0.0).num_windows == 4


def test_the_overlap_is_the_models_unless_another_is_asked_for(
    tiny_model: Path, tmp_path: Path
) -> None:
    image = np.zeros((96, 96))
    assert _plan(tiny_model, image).overlap == find_card(tiny_model).overlap == 0.6  # as MEDIAR
    model = _model_with(tiny_model, tmp_path / "model", overlap=0.25)
    plan = _plan(model, image)
    assert (plan.overlap, plan.window, plan.num_windows) == (0.25, (64, 64), 4)
    plan = _plan(model, image, overlap=0.75)
    assert (plan.overlap, plan.num_windows) == (0.75, 9)


def test_a_window_grows_as_far_as_the_model_lets_it(tiny_model: Path, tmp_path: Path) -> None:
    entries: dict[str, Any] = {"overlap": 0.25, "largest_window": (128, 128)}
    model = _model_with(tiny_model, tmp_path / "model", **entries)
    assert _plan(model, np.zeros((60, 70))).window == (64, 96)
    whole = _plan(model, np.zeros((100, 128)))
    assert (whole.window, whole.num_windows) == ((128, 128), 1)
    assert _plan(model, np.zeros((100, 128)), tta=True).window == (128, 128)
    cut = _plan(model, np.zeros((200, 64)))
    assert (cut.window, cut.num_windows) == ((128, 64), 2)
    # A quarter turn would put a long window across.
    assert _plan(model, np.zeros((64, 128)), eightfold=True).window == (64, 64)


def test_mirror_averaging_counts_every_view(tiny_model: Path) -> None:
    assert (len(MEDIAR_VIEWS), len(EIGHT_VIEWS)) == (NUM_MIRRORED, NUM_EIGHTFOLD)
    plain, mirrored = (_plan(tiny_model, np.zeros((50, 60)), tta=tta) for tta in (False, True))
    assert mirrored.num_windows == 3 * plain.num_windows == 3
    assert _plan(tiny_model, np.zeros((50, 60)), tta=True, eightfold=True).num_windows == 8


def test_summary_of_one_plane_of_a_stack(tiny_model: Path) -> None:
    image = MicroscopyImage(
        np.zeros((5, 2, 64, 64), np.uint16), "zcyx", channel_names=("DNA", "Actin")
    )
    plan = _plan(tiny_model, image, channel=1, plane=(0, 3))
    words = "3D channel 2 of 2 (Actin), pixel size unknown, 1 plane of 5, 64 × 64 px, 1 window"
    assert plan.summary == words
    assert plan.axes == "yx"
    assert _plan(tiny_model, image).axes == "zyx"
    assert len(_plan(tiny_model, image).planes) == 5


@pytest.mark.parametrize(
    ("whole", "linked", "words"),
    [
        (0.412, 0.6, "better than 3D objects (AP 0.60 against 0.41)"),
        (0.6, 0.412, ""),
        (None, 0.6, "was not measured in 3D"),
    ],
)
def test_where_linked_planes_are_better_the_plan_says_so(
    whole: float | None, linked: float, words: str, tiny_model: Path, tmp_path: Path
) -> None:
    figures = {AP_OF_VOLUMES: whole, AP_OF_LINKED: linked}
    known = {name: value for name, value in figures.items() if value is not None}
    model = _model_with(tiny_model, tmp_path / "measured", figures=known)
    stack = MicroscopyImage(np.zeros((4, 30, 30), np.uint8), "zyx", voxel_size=(1.0, 1.0, 1.0))
    (*doubts,) = _plan(model, stack, stacks="volume").warnings
    assert [words in doubt for doubt in doubts] == [True] * bool(words)
    assert _plan(model, stack, stacks="linked").warnings == ()


def test_a_chosen_precision_is_said_and_warned_of_where_it_is_emulated(
    tiny_model: Path, old_processor: None
) -> None:
    image = np.zeros((50, 60))
    plan = _plan(tiny_model, image, precision="bfloat16", device="cpu")
    assert plan.summary.endswith(", 1 window, in bfloat16")
    assert "two to eight times as long as float32" in plan.warnings[0]
    exact = _plan(tiny_model, image, precision="float32", device="cpu")
    assert (exact.summary.endswith(", in float32"), exact.warnings) == (True, ())


def test_region_is_cut_to_the_image(tiny_model: Path) -> None:
    plan = _plan(tiny_model, np.zeros((50, 60)), region=(-5, 20, 40, 900))
    assert plan.region == (0, 20, 40, 60)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"channel": 3}, "Channel 3 .* has 1"),
        ({"plane": (0, 7)}, "z=7 .* 1 z-planes"),
        ({"region": (90, 95, 0, 5)}, "does not meet the image of 50 x 60"),
        ({"axes": "qyx"}, "q"),
    ],
)
def test_what_is_not_in_the_image_is_refused(
    tiny_model: Path, choices: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        _plan(tiny_model, np.zeros((50, 60)), **choices)


def test_an_unknown_model_lists_the_near_ones() -> None:
    with pytest.raises(FileNotFoundError, match="Did you mean mediar-starter"):
        plan_segmentation(SegmentRequest(np.zeros((5, 5)), "mediar-startr"))


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"cell_threshold": 1.5}, "Cell threshold must be between 0.0 and 1.0, got 1.5"),
        ({"overlap": 1.0}, "Overlap"),
        ({"batch_size": -1}, "Batch"),
        ({"precision": "half"}, "Precision must be one of auto"),
        ({"min_size": -1}, "Minimum size"),
        ({"flow_threshold": float("nan")}, "Flow threshold"),
    ],
)
def test_values_out_of_their_limits_are_refused(choices: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SegmentRequest(np.zeros((5, 5)), **choices)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"cell_threshold": "0.5"}, "Cell threshold must be a number, got '0.5'"),
        ({"min_size": 3.7}, "Minimum size must be a whole number, got 3.7"),
        ({"min_size": np.int64(-1)}, "Minimum size must be between 0"),
        ({"overlap": np.float32(1.5)}, "Overlap must be between"),
        ({"region": (1, 2, 3)}, r"Region must be 4 numbers, y0 y1 x0 x1; got \(1, 2, 3\)"),
        ({"plane": 0}, "Plane must be 2 numbers, t z; got 0"),
        ({"voxel_size": 0.5}, "Voxel size must be 3 numbers, z y x; got 0.5"),
        ({"voxel_size": (0, 1, 1)}, "three positive numbers"),
        ({"voxel_size": (1, float("nan"), 1)}, "Voxel size must be a finite number, got nan"),
        ({"axes": 3}, "Axes must be a text, got 3"),
        ({"device": None}, "Device must be a text, got None"),
    ],
)
def test_values_of_another_kind_are_refused(choices: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        SegmentRequest(np.zeros((5, 5)), **choices)


def test_numbers_of_numpy_and_lists_are_taken(tiny_model: Path) -> None:
    request = SegmentRequest(
        [[1, 2, 3], [4, 5, 6]],  # type: ignore[arg-type]
        model=tiny_model,  # type: ignore[arg-type]
        axes=("x", "y"),  # type: ignore[arg-type]
        voxel_size=np.array([1, 0.5, 0.5]),  # type: ignore[arg-type]
        channel=np.int64(0),  # type: ignore[arg-type]
        region=[np.int32(0), 2.0, 0, 2],  # type: ignore[arg-type]
        overlap=np.float32(0.5),  # type: ignore[arg-type]
    )
    record = request.provenance()
    assert json.loads(json.dumps(record)) == record
    assert record["image"]["shape"] == [2, 3]
    assert (record["axes"], record["voxel_size"]) == ("xy", [1.0, 0.5, 0.5])
    assert (record["region"], record["overlap"]) == ([0, 2, 0, 2], 0.5)
    assert plan_segmentation(request).shape == (2, 2)


def test_one_structure_needs_no_list() -> None:
    assert PredictRequest(np.zeros((2, 5, 5)), "dna").tasks == ("dna",)  # type: ignore[arg-type]


def test_provenance_is_json_and_names_the_image(tmp_path: Path) -> None:
    image = MicroscopyImage(np.zeros((4, 5), np.uint8), "yx", (1, 0.2, 0.2), name="slide")
    record = SegmentRequest(image, voxel_size=(1.0, 0.3, 0.3)).provenance()
    assert json.loads(json.dumps(record)) == record
    assert record["image"] == {"name": "slide", "axes": "yx", "shape": [4, 5], "dtype": "uint8"}
    assert SegmentRequest(tmp_path / "a.tif").provenance()["image"] == str(tmp_path / "a.tif")
