"""Reviews: values against the critic itself, stacks and parts, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from skimage import data

import napari_ssp as ssp
from napari_ssp.engine.criticism.prediction import predict_errors
from napari_ssp.flows import labels_to_flows
from napari_ssp.io import write_image, write_labels
from napari_ssp.metrics import ConformalCalibration
from napari_ssp.progress import run
from napari_ssp.registry import CriticCalibration, find_card, load_model
from napari_ssp.service import as_command, as_script, restore_request
from napari_ssp.service.model_cache import ModelCache
from napari_ssp.service.review.calibrating import write_calibration
from napari_ssp.service.review.steps import review_steps

if TYPE_CHECKING:
    from pathlib import Path


def _image(height: int = 70, width: int = 90) -> np.ndarray[Any, Any]:
    return data.coins()[:height, :width]


def _labels(height: int = 70, width: int = 90) -> np.ndarray[Any, Any]:
    """Three squares: 5 is the largest, then 9, then 2."""
    labels = np.zeros((height, width), np.uint16)
    labels[5:35, 5:35] = 5
    labels[40:60, 10:30] = 9
    labels[10:20, 50:60] = 2
    return labels


def _direct(model: Path, image: Any, labels: Any) -> Any:
    critic: Any = load_model(model)
    return run(predict_errors(critic, image, labels, window=(64, 64)))


def test_a_plane_is_what_the_critic_says_of_it(tiny_critic: Path) -> None:
    found = ssp.review(_image(), _labels(), str(tiny_critic), device="cpu")
    direct = _direct(tiny_critic, _image(), _labels())
    assert found.error_map.dtype == np.float32
    np.testing.assert_array_equal(found.error_map, direct.probability)
    assert found.image_error == direct.image
    table = found.table
    assert table["label"].tolist() == [2, 9, 5]  # the worst first
    errors = dict(
        zip(direct.objects["label"].tolist(), direct.objects["predicted_error"], strict=True)
    )
    assert table["predicted_error"].tolist() == [errors[n] for n in (2, 9, 5)]
    assert table["area_px2"].tolist() == [100, 400, 900]
    assert table["centroid_y_px"].tolist() == [14.5, 49.5, 19.5]
    assert table["centroid_x_px"].tolist() == [54.5, 19.5, 19.5]
    boxes = [table[f"bbox_{a}_{end}_px"].tolist() for a in "yx" for end in ("start", "stop")]
    assert boxes == [[10, 40, 5], [20, 60, 35], [50, 10, 5], [60, 30, 35]]
    kinds = {5: direct.kinds[:, 5:35, 5:35]}
    names = ["missed", "extra", "merged", "split", "boundary"]
    assert table["likely"][2] == names[1 + int(kinds[5].mean(axis=(1, 2))[1:].argmax())]
    assert "accepted" not in table
    assert found.provenance["request"]["labels"] == {
        "name": "array",
        "shape": [70, 90],
        "dtype": "uint16",
    }
    json.dumps(found.provenance)


def test_stacks_and_movies_go_plane_by_plane(tiny_critic: Path) -> None:
    image = np.stack([_image(), _image()[::-1]])
    labels = np.stack([_labels(), np.where(_labels()[::-1] == 9, 0, _labels()[::-1])])
    found = ssp.review(image, labels, str(tiny_critic), axes="tyx")
    assert (found.axes, found.error_map.shape) == ("tyx", (2, 70, 90))
    for t in range(2):
        direct = _direct(tiny_critic, image[t], labels[t])
        np.testing.assert_array_equal(found.error_map[t], direct.probability)
        assert found.image_errors[t] == direct.image
        rows = found.table["t"] == t
        assert sorted(found.table["label"][rows]) == sorted(direct.objects["label"])
    assert (np.diff(found.table["predicted_error"]) <= 0).all()
    volume = ssp.review(image, labels, str(tiny_critic), axes="zyx")
    np.testing.assert_array_equal(volume.error_map, found.error_map)
    assert set(volume.table["z"]) == {0, 1}


def test_labels_of_a_part_are_reviewed_in_that_part(tiny_critic: Path, tmp_path: Path) -> None:
    full, part = _image(100, 120), _labels()
    labels = ssp.MicroscopyImage(part, "yx", name="part", origin=(0, 0, 20, 15), full_axes="yx")
    path = write_labels(tmp_path / "part_label.tif", labels)
    found = ssp.review(full, path, str(tiny_critic))
    direct = _direct(tiny_critic, full[20:90, 15:105], part)
    np.testing.assert_array_equal(found.error_map, direct.probability)
    assert found.origin == (0, 0, 20, 15)
    row = found.table["label"].tolist().index(5)
    assert found.table["centroid_y_px"][row] == 19.5 + 20
    assert found.table["bbox_x_start_px"][row] == 5 + 15
    assert found.image().origin == (0, 0, 20, 15)


def test_colours_and_channels(tiny_critic: Path) -> None:
    colours = data.astronaut()[:70, :90]
    found = ssp.review(colours, _labels(), str(tiny_critic))
    np.testing.assert_array_equal(
        found.error_map, _direct(tiny_critic, colours, _labels()).probability
    )
    channels = np.moveaxis(colours, -1, 0)
    found = ssp.review(channels, _labels(), str(tiny_critic), axes="cyx", channel=1)
    np.testing.assert_array_equal(
        found.error_map, _direct(tiny_critic, colours[..., 1], _labels()).probability
    )


def test_pixels_that_nobody_annotated_are_not_judged(tiny_critic: Path) -> None:
    labels = _labels().astype(np.int32)
    labels[:, 70:] = -1
    found = ssp.review(_image(), labels, str(tiny_critic))
    assert not found.error_map[:, 70:].any()
    assert found.error_map[:, :70].any()
    assert any(
        "1400 pixels are -1, not annotated; nothing is said of them" in w for w in found.warnings
    )


def test_an_image_without_objects_has_a_map_and_no_rows(tiny_critic: Path) -> None:
    found = ssp.review(_image(), np.zeros((70, 90), np.uint8), str(tiny_critic))
    assert found.num_objects == 0
    assert found.error_map.any()
    assert 0 <= found.image_error <= 1
    assert {len(column) for column in found.table.values()} == {0}
    assert [w for w in found.warnings if w.startswith("There is no object in the labels.")]
    with_objects = ssp.review(_image(), _labels(), str(tiny_critic)).warnings
    assert not [w for w in with_objects if "no object" in w]


def test_as_many_objects_as_there_are(tiny_critic: Path) -> None:
    labels = np.zeros((640, 640), np.int32)
    labels[::2, ::2] = np.arange(1, 320 * 320 + 1).reshape(320, 320)
    found = ssp.review(np.tile(_image(64, 64), (10, 10)), labels, str(tiny_critic))
    assert found.num_objects == 102_400
    assert (np.sort(found.table["label"]) == np.arange(1, 102_401)).all()


@pytest.mark.parametrize("labels", [np.zeros((90, 70), np.uint8), np.zeros((3, 70, 90), np.uint8)])
def test_labels_of_another_shape_are_refused(tiny_critic: Path, labels: Any) -> None:
    with pytest.raises(ValueError, match=r"transpose one of them|one number for each pixel"):
        ssp.review(_image(), labels, str(tiny_critic))


def test_labels_of_another_place_are_refused(tiny_critic: Path) -> None:
    place: dict[str, Any] = {"voxel_size": (1, 0.5, 0.5)}
    image = ssp.MicroscopyImage(_image(), "yx", position=(0, 10, 10), name="a", **place)
    labels = ssp.MicroscopyImage(_labels(), "yx", position=(0, 10, 60), name="b", **place)
    with pytest.raises(ValueError, match=r"'b' lies at .*10 × 60 µm, but 'a' at 10 × 10 µm"):
        ssp.review(image, labels, str(tiny_critic))
    with pytest.raises(ValueError, match="reaches beyond"):
        far = replace(labels, position=(0, 0, 0), origin=(0, 0, 60, 0), full_axes="yx")
        ssp.review(ssp.MicroscopyImage(_image(100, 100), "yx"), far, str(tiny_critic))


def test_what_is_no_label_image_is_refused(tiny_critic: Path) -> None:
    with pytest.raises(TypeError, match="this is a mask"):
        ssp.review(_image(), _labels() > 0, str(tiny_critic))
    with pytest.raises(TypeError, match="probability map"):
        ssp.review(_image(), _labels() / 10.5, str(tiny_critic))
    with pytest.raises(ValueError, match="-2"):
        ssp.review(_image(), _labels().astype(int) - 2, str(tiny_critic))


def test_a_model_that_is_no_critic_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match="'tiny' is of the family mediar and no critic"):
        ssp.review(_image(), _labels(), str(tiny_model))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ssp.review(_image(), _labels(), "nowhere")


def test_objects_are_accepted_by_a_calibration(tiny_critic: Path, tmp_path: Path) -> None:
    errors = dict(zip(*_errors(tiny_critic), strict=True))
    between = float(errors[9] + errors[5]) / 2
    path, card = tmp_path / "mine.json", find_card(str(tiny_critic))
    write_calibration(path, ConformalCalibration(99, (between,) * 20), card, ["a.tif"])
    found = ssp.review(_image(), _labels(), str(tiny_critic), calibration=path)
    # P-values 0.01 of label 5, 0.21 of the others; the steps are 1/30, 2/30, 3/30.
    assert found.table["accepted"].tolist() == [0, 0, 1]
    assert found.wrong_share == 0.1
    assert found.provenance["request"]["calibration"] == str(path)
    lax = ssp.review(_image(), _labels(), str(tiny_critic), calibration=path, wrong_share=0.3)
    assert lax.table["accepted"].tolist() == [1, 1, 1]


def _errors(model: Path) -> tuple[list[int], list[float]]:
    found = _direct(model, _image(), _labels()).objects
    return found["label"].tolist(), found["predicted_error"].tolist()


def test_a_calibration_of_another_critic_or_of_too_few_is_refused(
    tiny_critic: Path, tmp_path: Path
) -> None:
    path, card = tmp_path / "mine.json", find_card(str(tiny_critic))

    def attempt(**options: Any) -> None:
        ssp.review(_image(), _labels(), str(tiny_critic), calibration=path, **options)

    with pytest.raises(FileNotFoundError, match=r"--calibrate mine\.json"):
        attempt()
    write_calibration(path, ConformalCalibration(99, ()), replace(card, sha256="0"), [])
    with pytest.raises(
        ValueError, match="calibrated for the critic 'tiny-critic' with other weigh"
    ):
        attempt()
    write_calibration(path, ConformalCalibration(30, ()), card, [])
    with pytest.raises(ValueError, match="has 30 objects, but 99 are needed"):
        attempt(wrong_share=0.01)
    path.write_text('{"kind": "other"}')
    with pytest.raises(ValueError, match="is no calibration"):
        attempt()


def test_closing_between_two_steps_ends_the_work(tiny_critic: Path) -> None:
    steps = review_steps(ssp.ReviewRequest(_image(), _labels(), tiny_critic), ModelCache())
    stages = [next(steps).stage for _ in range(5)]
    steps.close()
    assert stages[0] == "reading the labels"
    assert torch.is_grad_enabled()


def test_a_review_can_be_repeated_from_its_provenance(tiny_critic: Path, tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.tif", ssp.MicroscopyImage(_image(), "yx"))
    labels = write_labels(tmp_path / "a_label.tif", _labels())
    found = ssp.review(image, labels, str(tiny_critic), overlap=0.5)
    again = restore_request(found.provenance)
    assert isinstance(again, ssp.ReviewRequest)
    assert (again.image, again.labels, again.overlap) == (str(image), str(labels), 0.5)
    command = as_command(found.provenance)
    assert command.startswith(f"napari-ssp review {image} -o results ")
    assert f" --labels {labels} " in command
    assert "--overlap 0.5" in command
    spaces: dict[str, Any] = {}
    exec(as_script(found.provenance), spaces)
    np.testing.assert_array_equal(spaces["result"].error_map, found.error_map)


def test_a_critics_own_calibration_is_on_its_card(tiny_critic: Path, tmp_path: Path) -> None:
    errors = dict(zip(*_errors(tiny_critic), strict=True))
    between = float(errors[9] + errors[5]) / 2
    shutil.copytree(tiny_critic, tmp_path / "own")
    own = CriticCalibration(99, (between,) * 20, "a few coins")
    replace(find_card(str(tmp_path / "own")), calibration=own).write(tmp_path / "own")
    found = ssp.review(_image(), _labels(), str(tmp_path / "own"))
    assert found.table["accepted"].tolist() == [0, 0, 1]
    text = (tmp_path / "own" / "card.json").read_text(encoding="utf-8")
    (tmp_path / "own" / "card.json").write_text(text.replace('"count": 99', '"count": -1'))
    with pytest.raises(ValueError, match="calibration count"):
        ssp.review(_image(), _labels(), str(tmp_path / "own"))


def _flows() -> np.ndarray[Any, Any]:
    """Outputs that are sure of all objects but of label 9."""
    labels = _labels()
    return np.stack([*5 * labels_to_flows(labels), np.where(labels == 9, 0.2, 0.9)])


def test_objects_that_do_not_agree_with_the_flows_are_the_worst(comparing_critic: Path) -> None:
    model = str(comparing_critic)
    found = ssp.review(_image(), _labels(), model, flows=_flows(), device="cpu")
    errors = dict(zip(found.table["label"], found.table["predicted_error"], strict=True))
    logits = {n: 3 * np.tanh(1 - p) for n, p in ((9, 0.2), (5, 0.9), (2, 0.9))}
    assert errors == pytest.approx({n: 1 / (1 + np.exp(-x)) for n, x in logits.items()}, abs=1e-5)
    without = ssp.review(_image(), _labels(), model, device="cpu")
    np.testing.assert_array_equal(found.error_map, without.error_map)
    assert found.table["predicted_error"].tolist() != without.table["predicted_error"].tolist()


def test_each_plane_of_a_movie_has_its_own_flows(comparing_critic: Path) -> None:
    labels, sure = np.stack([_labels()] * 2), _flows()
    sure[2] = 0.9
    flows = np.stack([_flows(), sure], axis=1)
    image = np.stack([_image()] * 2)
    found = ssp.review(image, labels, str(comparing_critic), axes="tyx", flows=flows, device="cpu")
    table = found.table
    errors = {(t, n): e for t, n, e in zip(*(table[k] for k in _KEYS), strict=True)}
    assert errors[0, 9] > 0.8
    assert errors[1, 9] == errors[1, 5] < 0.6


_KEYS = ("t", "label", "predicted_error")


def test_flows_that_are_none_of_these_labels_are_refused(
    comparing_critic: Path, tiny_critic: Path
) -> None:
    model = str(comparing_critic)
    for critic in (model, str(tiny_critic)):
        with pytest.raises(ValueError, match="has 2 channels, but flow_y, flow_x and cell_prob"):
            ssp.review(_image(), _labels(), critic, flows=_flows()[:2])
        with pytest.raises(ValueError, match=r"80 \(x\)\. Give the flows that the labels are of"):
            ssp.review(_image(), _labels(), critic, flows=_flows()[..., :80])
    volume = np.concatenate([_flows()[:1], _flows()])
    found = ssp.review(_image(), _labels(), model, flows=volume, device="cpu")
    assert "flows are those of a volume" in found.warnings[0]
    plain = ssp.review(_image(), _labels(), str(tiny_critic), flows=_flows(), device="cpu")
    assert plain.table["label"].tolist() == [2, 9, 5]  # a critic that knows nothing of flows


def test_a_calibration_is_for_labels_with_flows_or_for_those_without(
    comparing_critic: Path, tmp_path: Path
) -> None:
    path, model = tmp_path / "mine.json", str(comparing_critic)
    found = ConformalCalibration(99, (0.55,) * 20)
    write_calibration(path, found, find_card(model), [], with_flows=True)
    chosen = {"calibration": path, "device": "cpu"}
    table = ssp.review(_image(), _labels(), model, flows=_flows(), **chosen).table
    assert table["accepted"].tolist() == [0, 0, 0]  # predicted errors of 0.57 and 0.88
    with pytest.raises(ValueError, match="calibrated on labels with the flows that they were"):
        ssp.review(_image(), _labels(), model, **chosen)
