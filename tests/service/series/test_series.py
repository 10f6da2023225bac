"""Series: what a folder holds, how far it has come, and what is written of each image."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from skimage import data

from napari_ssp.cli import main
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, read_label_image, write_labels
from napari_ssp.io.objects.notes import EXAMPLES_SUFFIX
from napari_ssp.progress import run
from napari_ssp.service import Examples, SegmentRequest
from napari_ssp.service.classes.files import (
    KeepExamplesRequest,
    keep_steps as keep_examples,
    read_examples,
)
from napari_ssp.service.model_service import SHARED_MODELS
from napari_ssp.service.network_outputs import read_outputs
from napari_ssp.service.pipelines import prepare_steps
from napari_ssp.service.review.decisions import (
    Decision,
    KeepDecisionsRequest,
    ObjectKey,
    find_decisions,
    keep_steps,
    read_decisions,
)
from napari_ssp.service.series.listing import (
    ListSeriesRequest,
    LookAtImagesRequest,
    Series,
    Stage,
    list_steps,
    look_steps,
)
from napari_ssp.service.series.opening import OpenImageRequest, open_steps
from napari_ssp.service.series.saving import SaveLabelsRequest, save_steps
from napari_ssp.service.series.segmenting import ImageNews, SegmentSeriesRequest
from napari_ssp.service.series.table import MeasureSeriesRequest, measure_steps
from napari_ssp.service.training.segmentation.training_files import find_pairs

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.service.series.listing import SeriesImage

COINS = np.ascontiguousarray(data.coins()[:60, :64])
SQUARE = np.zeros(COINS.shape, np.uint16)
SQUARE[10:20, 30:45] = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images without labels, one with, one that is damaged."""
    place = tmp_path / "series"
    place.mkdir()
    for name in ("a", "b", "c"):
        tifffile.imwrite(place / f"{name}.tif", COINS)
    write_labels(place / "b_label.tiff", SQUARE)
    (place / "d.tif").write_bytes(b"II*\0no image")
    return place


def listed(folder: Path) -> Series:
    return run(list_steps(ListSeriesRequest(folder)))


def image_of(series: Series, name: str) -> SeriesImage:
    return next(image for image in series.images if image.name == name)


def stages(series: Series) -> dict[str, Stage]:
    states = zip(series.images, series.states, strict=True)
    return {image.name: state.stage for image, state in states}


def save(image: SeriesImage, labels: np.ndarray) -> None:
    """Open an image, and save other labels of it."""
    opened = run(open_steps(OpenImageRequest(image)))
    run(save_steps(SaveLabelsRequest(opened.file, MicroscopyImage(labels, "yx"), {})))


def segment(series: Series, settings: SegmentRequest, images: Any = None) -> tuple[Any, list[Any]]:
    asked = SegmentSeriesRequest(images or series.images, settings)
    steps, news = prepare_steps(asked, SHARED_MODELS)(), []
    while True:
        try:
            news.append(next(steps).preview)
        except StopIteration as stop:
            return stop.value, [each for each in news if isinstance(each, ImageNews)]


def test_a_folder_is_listed_with_what_became_of_each_image(folder: Path) -> None:
    series = listed(folder)
    assert stages(series) == {
        "a": Stage.WAITING,
        "b": Stage.SEGMENTED,
        "c": Stage.WAITING,
        "d": Stage.FAILED,
    }
    assert "d.tif" in series.states[3].words
    assert image_of(series, "a").labels.path == folder / "a_label.tiff"
    assert image_of(series, "b").labels.path == folder / "b_label.tiff"


@pytest.mark.parametrize("chosen", ["", "images"])
def test_images_and_labels_in_folders_of_their_own_are_found(tmp_path: Path, chosen: str) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for name in ("a", "b"):
        tifffile.imwrite(tmp_path / "images" / f"{name}.tif", COINS)
    tifffile.imwrite(tmp_path / "masks" / "b.tif", SQUARE)
    series = listed(tmp_path / chosen)
    places = [image.labels.path.relative_to(tmp_path).as_posix() for image in series.images]
    assert places == ["masks/a_label.tiff", "masks/b.tif"]


def test_each_scene_of_a_file_has_labels_of_its_own(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "s.ome.tif", ome=True) as file:
        for name in ("one", "two"):
            file.write(COINS, metadata={"axes": "YX", "Name": name})
    series = listed(tmp_path)
    assert [image.name for image in series.images] == ["s one", "s two"]
    save(series.images[1], SQUARE)
    assert stages(listed(tmp_path)) == {"s one": Stage.WAITING, "s two": Stage.SEGMENTED}
    pairs = find_pairs([tmp_path], [], []).training
    assert [(pair.scene, pair.labels.name) for pair in pairs] == [("two", "s two_label.tiff")]


@pytest.mark.parametrize("has_labels", [False, True])
def test_two_images_never_share_labels(tmp_path: Path, has_labels: bool) -> None:
    for name in ("a.png", "a.tif"):
        iio.imwrite(tmp_path / name, COINS)
    if has_labels:
        write_labels(tmp_path / "a_label.tiff", SQUARE)
    first, second = listed(tmp_path).images
    assert first.problem == "" and "'a.tif' and 'a.png' have one name" in second.problem


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no images"):
        listed(tmp_path)


def test_all_are_segmented_but_those_that_are_done_or_fail(
    folder: Path, finding_model: Path
) -> None:
    settings = SegmentRequest(COINS, finding_model, flow_threshold=0)
    states, news = segment(listed(folder), settings)
    assert [state.stage for state in states] == [
        Stage.SEGMENTED,
        Stage.SEGMENTED,
        Stage.SEGMENTED,
        Stage.FAILED,
    ]
    assert {each.state.stage for each in news if each.image.name == "a"} == {
        Stage.SEGMENTING,
        Stage.SEGMENTED,
    }
    np.testing.assert_array_equal(read_label_image(folder / "b_label.tiff").data, SQUARE)
    expected = run(prepare_steps(settings, SHARED_MODELS)())
    assert states[0].words.splitlines()[0] == f"{expected.num_objects} objects"
    np.testing.assert_array_equal(read_label_image(folder / "a_label.tiff").data, expected.labels)
    flows, probability = read_outputs(read_image(folder / "a_flows.tiff"))
    np.testing.assert_array_equal(flows, expected.flows)
    np.testing.assert_array_equal(probability, expected.cell_probability)
    record = json.loads((folder / "a_label.tiff.provenance.json").read_text(encoding="utf-8"))
    assert record["request"]["image"] == str(folder / "a.tif")
    before = (folder / "a_label.tiff").stat().st_mtime_ns
    (folder / "c_label.tiff").unlink()  # a second run does what is not there
    segment(listed(folder), settings)
    assert (folder / "c_label.tiff").exists()
    assert (folder / "a_label.tiff").stat().st_mtime_ns == before


def test_a_command_and_a_series_take_the_same_folder(folder: Path, finding_model: Path) -> None:
    (folder / "d.tif").unlink()
    words = ["segment", str(folder), "-o", str(folder), "--model", str(finding_model), "--resume"]
    done = CliRunner().invoke(main, [*words, "--save-flows"])
    assert done.exit_code == 0, done.output
    assert set(stages(listed(folder)).values()) == {Stage.SEGMENTED}
    again = CliRunner().invoke(main, words)
    assert "3 of 3 images were done before" in again.output


def test_labels_that_were_drawn_meanwhile_stay_as_they_are(
    folder: Path, finding_model: Path
) -> None:
    settings = SegmentRequest(COINS, finding_model, flow_threshold=0)
    steps = prepare_steps(SegmentSeriesRequest(listed(folder).images, settings), SHARED_MODELS)()
    while not isinstance(next(steps).preview, ImageNews):
        pass
    write_labels(folder / "a_label.tiff", SQUARE)
    states = run(steps)
    assert states[0].stage is Stage.SEGMENTED
    assert "left alone" in states[0].words
    np.testing.assert_array_equal(read_label_image(folder / "a_label.tiff").data, SQUARE)
    assert [path.name for path in sorted(folder.glob("a*"))] == ["a.tif", "a_label.tiff"]
    assert (folder / "c_flows.tiff").exists(), "others are done"


def test_what_was_cancelled_leaves_no_half_of_an_image(folder: Path, finding_model: Path) -> None:
    settings = SegmentRequest(COINS, finding_model, flow_threshold=0)
    steps = prepare_steps(SegmentSeriesRequest(listed(folder).images, settings), SHARED_MODELS)()
    while True:
        news = next(steps).preview
        if isinstance(news, ImageNews) and news.image.name == "c":
            break
    steps.close()
    assert [path.name for path in sorted(folder.glob("*_label.tiff"))] == [
        "a_label.tiff",
        "b_label.tiff",
    ]
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_labels_open_in_memory_at_the_place_of_their_image(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        COINS,
        metadata={"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
    )
    tifffile.imwrite(tmp_path / "a_masks.tif", SQUARE)
    opened = run(open_steps(OpenImageRequest(listed(tmp_path).images[0])))
    (pixels, look, kind), labels = opened.layers[0], opened.labels
    assert kind == "image" and look["scale"] == (0.5, 0.5)
    np.testing.assert_array_equal(pixels, COINS)
    assert labels is not None and labels[2] == "labels"
    assert labels[1]["scale"] == (0.5, 0.5) and labels[0].dtype == np.uint32
    np.testing.assert_array_equal(labels[0], SQUARE)
    assert labels[0].flags.writeable


def test_corrections_are_saved_marked_and_read_again(folder: Path) -> None:
    image = image_of(listed(folder), "b")
    opened = run(open_steps(OpenImageRequest(image)))
    before = image.labels.path.stat().st_mtime_ns
    run(save_steps(SaveLabelsRequest(opened.file, read_label_image(image.labels.path), {})))
    assert image.labels.path.stat().st_mtime_ns == before, "nothing has changed"
    assert stages(listed(folder))["b"] is Stage.SEGMENTED
    edited = MicroscopyImage(np.where(SQUARE > 0, 70_000, 0), "yx")
    record = {"request": {"model": "m"}, "edits": [{"edit": "add"}]}
    run(save_steps(SaveLabelsRequest(opened.file, edited, record)))
    np.testing.assert_array_equal(read_label_image(image.labels.path).data, edited.data)
    assert stages(listed(folder))["b"] is Stage.CORRECTED
    again = run(open_steps(OpenImageRequest(image)))
    assert again.labels is not None
    own = again.labels[1]["metadata"]["napari_ssp"]
    run(save_steps(SaveLabelsRequest(again.file, MicroscopyImage(SQUARE, "yx"), own)))
    note = json.loads((folder / "b_label.tiff.provenance.json").read_text(encoding="utf-8"))
    assert note["request"] == {"model": "m"} and note["edits"] == [{"edit": "add"}]


def test_labels_that_nobody_has_drawn_yet_are_not_saved(folder: Path) -> None:
    image = image_of(listed(folder), "a")
    save(image, np.zeros_like(SQUARE))
    assert image.is_waiting


def test_pixels_that_nobody_annotated_stay_so(folder: Path) -> None:
    image = image_of(listed(folder), "a")
    unknown = np.where(SQUARE > 0, 3, -1).astype(np.int32)
    save(image, unknown)
    opened = run(open_steps(OpenImageRequest(image)))
    assert opened.labels is not None
    np.testing.assert_array_equal(opened.labels[0], unknown)


def test_decisions_are_part_of_the_state(folder: Path) -> None:
    image = image_of(listed(folder), "b")
    decisions = {ObjectKey(3): Decision.REJECTED, ObjectKey(4): Decision.ACCEPTED}
    labels = read_label_image(image.labels.path)
    run(keep_steps(KeepDecisionsRequest(labels, image.labels.path, None, decisions)))
    (state,) = run(look_steps(LookAtImagesRequest((image,))))
    assert (state.stage, state.words) == (Stage.DECIDED, "segmented, 2 objects decided")


def test_decisions_do_not_go_over_to_other_labels(folder: Path) -> None:
    image = image_of(listed(folder), "b")
    path = image.labels.path
    labels = np.zeros_like(SQUARE)
    labels[0:5, 0:5], labels[10:20, 30:45], labels[40:50, 10:20] = 1, 3, 4
    save(image, labels)
    stored = read_label_image(path)
    said = {ObjectKey(n): Decision.REJECTED for n in (1, 3, 4)}
    run(keep_steps(KeepDecisionsRequest(stored, path, None, said)))
    examples = Examples().add_class("cell")
    for number in (1, 3):
        examples = examples.give(ObjectKey(number), "cell")
    measured = replace(examples.rows[1], values={"area_px2": 150.0})
    examples = replace(examples, rows=(examples.rows[0], measured, *examples.rows[2:]))
    run(keep_examples(KeepExamplesRequest(stored, path, None, examples)))
    drawn = np.where(labels == 4, 0, labels)  # erased: nothing has its number
    drawn[0, 0] = 0
    save(image, drawn)
    assert set(read_decisions(find_decisions(path, None) or path)) == set(said)
    other = np.zeros_like(SQUARE)
    other[2:7, 2:7], other[50:55, 50:60] = 1, 3
    save(image, other)
    assert set(read_decisions(find_decisions(path, None) or path)) == {ObjectKey(1), ObjectKey(4)}
    kept = read_examples(path.with_name(path.name + EXAMPLES_SUFFIX))
    assert [row.key for row in kept.rows] == [ObjectKey(1), None]
    assert kept.rows[1].values == {"area_px2": 150.0}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_all_images_are_one_table(folder: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    more = SQUARE.copy()
    more[40:44, 5:10] = 8
    save(image_of(listed(folder), "c"), more)
    table = run(measure_steps(MeasureSeriesRequest(listed(folder).images, folder / f"t{suffix}")))
    assert (table.rows, table.images) == (3, 2)
    assert [line.partition(":")[0] for line in table.problems] == ["d"]
    rows = _rows(table.path)
    assert [(row["file"], int(row["label"]), float(row["area_px2"])) for row in rows] == [
        (str(folder / "b.tif"), 3, 150.0),
        (str(folder / "c.tif"), 3, 150.0),
        (str(folder / "c.tif"), 8, 20.0),
    ]
    assert float(rows[2]["mean_intensity"]) == pytest.approx(COINS[40:44, 5:10].mean())
    assert list(rows[0])[:6] == ["plate", "well", "field", "file", "scene", "label"]


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    import pyarrow.parquet

    found: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return found


def test_a_series_is_training_data_as_it_is(folder: Path, finding_model: Path) -> None:
    (folder / "d.tif").unlink()
    settings = SegmentRequest(COINS, finding_model, flow_threshold=0)
    series = listed(folder)
    segment(series, settings)
    corrected = read_label_image(folder / "a_label.tiff").data + SQUARE
    save(image_of(series, "a"), corrected)
    decided = KeepDecisionsRequest(
        read_label_image(folder / "a_label.tiff"),
        folder / "a_label.tiff",
        None,
        {ObjectKey(1): Decision.ACCEPTED},
    )
    run(keep_steps(decided))
    files = find_pairs([folder], [], [])
    assert files.strays == () and files.notes == ()
    assert [pair.name for pair in files.training] == ["a", "b", "c"]
    np.testing.assert_array_equal(read_label_image(files.training[0].labels).data, corrected)
