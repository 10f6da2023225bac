"""Masks in the place of labels, labels of other programs, and images that show nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from label_folders import write_discs

from napari_ssp.progress import run
from napari_ssp.service import TrainRequest, plan_training
from napari_ssp.service.training.segmentation import masks
from napari_ssp.service.training.segmentation.images import read_training_images
from napari_ssp.service.training.segmentation.plan import find_files
from napari_ssp.service.training.steps import train_steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def change_labels(folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
    """Rewrite all label files; the labels as they were."""
    before = []
    for path in sorted((folder / "labels").iterdir()):
        labels = tifffile.imread(path)
        before.append(labels)
        tifffile.imwrite(path, change(labels))
    return before


def same_objects(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether the same pixels belong together, whatever the numbers."""
    pairs = np.unique(np.stack([first, second]).reshape(2, -1), axis=1)
    return pairs.shape[1] == len(np.unique(first)) == len(np.unique(second))


def learned(request: TrainRequest) -> dict[str, np.ndarray]:
    request.output.mkdir(exist_ok=True)
    found = run(read_training_images(find_files(request), request))
    labels = {one.name: np.array(one.labels) for one in (*found.training, *found.validation)}
    found.close()
    return labels


def test_masks_are_warned_of_and_numbered_on_request(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "d", 4)
    before = change_labels(data, lambda labels: (labels > 0).astype(np.uint8) * 255)
    request = TrainRequest((data,), tmp_path / "run")
    (warning,) = plan_training(request).warnings
    assert "Each of 4 label images has one number for 9 separate parts: a mask?" in warning
    assert "--number-parts" in warning
    assert [labels.max() for labels in learned(request).values()] == [1] * 4

    numbered = TrainRequest((data,), tmp_path / "run", number_parts=True)
    assert plan_training(numbered).warnings == ()
    found = learned(numbered)
    for k, labels in enumerate(before):
        assert same_objects(found[f"im{k}"], labels)


def test_masks_of_true_and_false_are_refused_or_numbered(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "d", 4)
    before = change_labels(data, lambda labels: labels > 0)
    request = TrainRequest((data,), tmp_path / "run")
    with pytest.raises(ValueError, match=r"4 of 4 label files are masks \(dtype bool\).*--numb"):
        plan_training(request)
    found = learned(TrainRequest((data,), tmp_path / "run", number_parts=True))
    assert same_objects(found["im3"], before[3])


def test_a_numbered_part_is_not_the_value_that_means_not_annotated(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "d", 4)
    change_labels(data, lambda labels: np.where(labels == 9, 2, (labels > 0) * 255).astype("u1"))
    request = TrainRequest((data,), tmp_path / "run", number_parts=True, ignore_label=2)
    assert [np.unique(labels).tolist() for labels in learned(request).values()] == [
        [-1, *range(9)]
    ] * 4


def test_some_masks_among_labels(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "d", 5)
    path = data / "labels" / "im2_label.tif"
    tifffile.imwrite(path, (tifffile.imread(path) > 0).astype(np.int32))
    (warning,) = plan_training(TrainRequest((data,), tmp_path / "run")).warnings
    assert warning.startswith("1 of 5 label images has one number for 9 separate parts")
    found = learned(TrainRequest((data,), tmp_path / "run", number_parts=True))
    assert [int(labels.max()) for labels in found.values()] == [9] * 5


def test_of_many_label_files_a_sample_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks, "_LOOKED_AT", 3)
    data = write_discs(tmp_path / "d", 7)
    change_labels(data, lambda labels: (labels > 0).astype(np.uint8))
    (warning,) = plan_training(TrainRequest((data,), tmp_path / "run")).warnings
    assert warning.startswith("Each of 3 label images has one number")


def test_one_object_in_one_piece_is_no_mask(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "d", 4)
    change_labels(data, lambda labels: (labels == 1).astype(np.uint8))
    assert plan_training(TrainRequest((data,), tmp_path / "run")).warnings == ()


def test_whole_floats_and_what_nobody_annotated(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "d", 4)
    before = change_labels(data, lambda labels: np.where(labels == 3, -1, labels).astype("f4"))
    found = learned(TrainRequest((data,), tmp_path / "run"))
    np.testing.assert_array_equal(found["im0"] == -1, before[0] == 3)
    np.testing.assert_array_equal(found["im0"] == 3, before[0] == 4)  # numbered without gaps


def test_a_value_that_means_not_annotated_is_no_object(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "d", 4)

    def change(labels: np.ndarray) -> np.ndarray:
        mask = (labels > 0).astype(np.uint8)
        mask[:4] = 255
        return mask

    change_labels(data, change)
    request = TrainRequest((data,), tmp_path / "run", ignore_label=255, number_parts=True)
    found = learned(request)["im0"]
    assert (found[:4] == -1).all()
    assert found.max() == 9


def test_a_probability_map_is_refused(tmp_path: Path) -> None:
    data = write_discs(tmp_path / "d", 4)
    change_labels(data, lambda labels: (labels / 20).astype(np.float32))
    with pytest.raises(ValueError, match=r"4 of 4 training pairs .*\n.*a probability map"):
        learned(TrainRequest((data,), tmp_path / "run"))


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0])
def test_images_that_show_nothing_are_left_out(tmp_path: Path, value: float) -> None:
    data = write_discs(tmp_path / "d", 5)
    blank = np.full((80, 80), value, np.float32)
    tifffile.imwrite(data / "images" / "im1.tif", blank)
    partly = tifffile.imread(data / "images" / "im0.tif").astype(np.float32)
    partly[:9] = np.nan
    tifffile.imwrite(data / "images" / "im0.tif", partly)
    request = TrainRequest((data,), tmp_path / "run")
    request.output.mkdir()
    found = run(read_training_images(find_files(request), request))
    names = {one.name for one in (*found.training, *found.validation)}
    why = "one value only, 7" if value == 7 else "no finite values: all pixels are NaN or infinite"
    assert names == {"im0", "im2", "im3", "im4"}
    assert found.warnings == (f"Left out: im1 has {why}.",)
    found.close()

    for path in (data / "images").iterdir():
        tifffile.imwrite(path, blank)
    with pytest.raises(ValueError, match=r"None of the 4 training images shows anything: im0 has"):
        run(read_training_images(find_files(request), request))
    assert not list(request.output.glob(".*"))


def test_what_was_left_out_is_said_in_the_end(tmp_path: Path, tiny_model: Path) -> None:
    data = write_discs(tmp_path / "d", 4)
    tifffile.imwrite(data / "images" / "im1.tif", np.zeros((80, 80), np.uint8))
    request = TrainRequest(
        (data,), tmp_path / "run", base=str(tiny_model), trainable="heads", minutes=None, steps=1,
        batch_size=2, crop=32, device="cpu", install="never",
    )  # fmt: skip
    model = run(train_steps(request))
    assert "Left out: im1 has one value only, 0." in model.warnings
    assert model.sentence.endswith("Left out: im1 has one value only, 0.")
