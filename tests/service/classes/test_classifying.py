"""Classes of objects learnt from a few examples, and the files that these lie in."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_ssp import MicroscopyImage, classify
from napari_ssp.measure import ManyObjectsError, measure_objects
from napari_ssp.progress import run
from napari_ssp.service import ModelService
from napari_ssp.service.classes.classifying import Classes, ClassifyRequest, classify_steps
from napari_ssp.service.classes.examples import Example, Examples, ObjectClass
from napari_ssp.service.classes.files import (
    FindExamplesRequest,
    KeepExamplesRequest,
    read_examples,
    write_examples,
)
from napari_ssp.service.classes.forest import feature_names, predict
from napari_ssp.service.measuring import digest_labels
from napari_ssp.service.review.decisions import ObjectKey

if TYPE_CHECKING:
    from pathlib import Path

VOXEL = (1.0, 0.5, 0.5)


def _cells(seed: int = 0, frames: int = 0) -> tuple[MicroscopyImage, MicroscopyImage, list[str]]:
    """Labels of 64 squares in rows, half of them small, an image, and their true classes."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((160, 160), np.uint16)
    true = ["cell" if kind else "debris" for kind in rng.permutation(np.arange(64) % 2)]
    for i, name in enumerate(true):
        y, x = 20 * (i // 8) + 2, 20 * (i % 8) + 2
        size = rng.integers(11, 16) if name == "cell" else rng.integers(3, 7)
        labels[y : y + size, x : x + size] = i + 1
    grey = rng.normal(100, 10, labels.shape).astype(np.float32)
    if frames:
        labels, grey = np.stack([labels] * frames), np.stack([grey] * frames)
    axes = "tyx" if frames else "yx"
    return (
        MicroscopyImage(labels, axes, VOXEL, name="cells"),
        MicroscopyImage(grey, axes, VOXEL, name="grey"),
        true,
    )


def _examples(true: list[str], count: int) -> Examples:
    examples = Examples().add_class("cell").add_class("debris", is_wrong=True)
    for i in range(count):
        examples = examples.give(ObjectKey(i + 1), true[i])
    return examples


def _classify(labels: MicroscopyImage, examples: Examples, **choices: Any) -> Classes:
    return run(classify_steps(ClassifyRequest(labels, examples, **choices)))


def test_the_rest_is_predicted_and_examples_stay_as_given() -> None:
    labels, image, true = _cells()
    examples = _examples(true, 12)
    with ModelService() as service:
        found = service.submit(ClassifyRequest(labels, examples, image)).result()
    assert found.table["class"].tolist() == true
    assert found.table["class_given"].tolist() == [1] * 12 + [0] * 52
    assert (found.table["class_probability"][:12] == 1).all()
    assert (found.table["class_probability"][12:] > 0.5).all()
    assert {row.values["area_um2"] for row in found.examples.rows} <= set(
        found.table["area_um2"].tolist()
    )
    assert found.count() == {"cell": 32, "debris": 32}
    other = "debris" if true[0] == "cell" else "cell"
    disputed = _classify(labels, examples.give(ObjectKey(1), other), image=image)
    assert disputed.table["class"][0] == other, "a person has the last word"


def test_the_same_examples_in_any_order_give_the_same_result() -> None:
    labels, image, true = _cells()
    examples = _examples(true, 24)
    first = _classify(labels, examples, image=image)
    other = _classify(labels, replace(examples, rows=examples.rows[::-1]), image=image)
    for name in first.table:
        np.testing.assert_array_equal(first.table[name], other.table[name])
    assert first.recognised == other.recognised != {}


def test_left_out_examples_say_how_good_it_is_once_there_are_enough() -> None:
    labels, image, true = _cells()
    few = _classify(labels, _examples(true, 6), image=image)
    assert few.recognised == {}
    assert "Too few examples to say how good this is: 5 of each class" in few.summary()
    enough = _classify(labels, _examples(true, 20), image=image)
    assert enough.recognised == {"cell": 1.0, "debris": 1.0}
    assert "When left out, 100% of the examples are recognised." in enough.summary()
    rng = np.random.default_rng(1)
    noise = _examples(["cell" if kind else "debris" for kind in rng.integers(0, 2, 64)], 64)
    guessed = _classify(labels, noise, image=image)
    assert max(guessed.recognised.values()) < 0.75, "classes that cannot be told apart"
    least, share = min(guessed.recognised.items(), key=lambda item: item[1])
    assert f"the mean of the classes; {least} least, {share:.0%}." in guessed.summary()


def test_one_class_is_not_taken_for_all_objects() -> None:
    labels, _, _ = _cells()
    examples = Examples().add_class("cell").give(ObjectKey(3), "cell")
    found = _classify(labels, examples)
    assert found.count() == {"cell": 1}
    assert np.isnan(found.table["class_probability"]).sum() == 63
    assert "Examples so far: 1." in found.summary()


def test_neither_places_nor_ids_tell_objects_apart() -> None:
    labels, image, _ = _cells(frames=2)
    names = feature_names(measure_objects(labels, image))
    assert {"area_um2", "eccentricity", "mean_intensity", "sum_intensity"} <= set(names)
    assert not [
        name for name in names if name in ("label", "t") or name.startswith(("centroid", "bbox"))
    ]


def test_missing_and_endless_values_are_no_obstacle() -> None:
    gap = [math.nan, math.inf, 1e300, -math.inf]
    table = {
        "label": np.arange(1, 9),
        "area_px2": np.array([1.0, 2, 1, 2, 50, 60, 50, 60]),
        "mean_a": np.array([*gap, *gap]),
        "constant": np.ones(8),
    }
    rows = [
        Example(name, None, {n: float(table[n][i]) for n in ("area_px2", "mean_a", "constant")})
        for i, name in ((0, "a"), (1, "a"), (4, "b"), (5, "b"))
    ]
    found = predict(rows, table, ["area_px2", "mean_a", "constant"])
    assert found.names.tolist() == ["a"] * 4 + ["b"] * 4


def test_ids_that_repeat_in_frames_are_objects_of_their_own() -> None:
    labels, image, true = _cells(frames=2)
    examples = _examples(true, 10).give(ObjectKey(11, t=1), true[10])
    found = _classify(labels, examples, image=image)
    at = {
        (label, t): given
        for label, t, given in zip(
            *(found.table[name].tolist() for name in ("label", "t", "class_given")), strict=True
        )
    }
    assert (at[3, 0], at[3, 1], at[11, 0], at[11, 1]) == (1, 0, 0, 1)
    assert found.table["class"].tolist() == true * 2


def test_labels_are_measured_again_only_where_they_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels, image, true = _cells()
    first = _classify(labels, _examples(true, 8), image=image)
    known = replace(first, table={**first.table, "area_um2": first.table["area_um2"] * 2})
    again = _classify(labels, first.examples, image=image, known=known)
    np.testing.assert_array_equal(again.table["area_um2"], known.table["area_um2"])
    labels.data[labels.data == 9] = 0
    anew = _classify(labels, first.examples, image=image, known=known)
    assert 9 not in anew.table["label"]
    np.testing.assert_array_equal(anew.table["area_um2"], np.delete(first.table["area_um2"], 8))


def test_an_image_in_place_of_labels_is_asked_about() -> None:
    noise = np.random.default_rng(0).integers(0, 60000, (300, 300)).astype(np.uint16)
    with pytest.raises(ManyObjectsError):
        _classify(MicroscopyImage(noise, "yx", name="grey"), Examples())


def test_examples_teach_another_image(tmp_path: Path) -> None:
    labels, image, true = _cells(0)
    taught = _classify(labels, _examples(true, 12), image=image)
    file = tmp_path / "cells.classes.json"
    write_examples(file, replace(taught.examples, digest=taught.digest), "cells")
    read = read_examples(file)
    assert read == replace(taught.examples, digest=digest_labels(labels))

    others, grey, theirs = _cells(5)
    found = _classify(others, read, image=grey)
    assert found.table["class"].tolist() == theirs
    assert not found.table["class_given"].any(), "objects of the other image are not these"
    assert _classify(labels, read, image=image).table["class_given"].sum() == 12

    assert classify(others, file).table["class"].tolist() == theirs
    lacking, unmeasured = classify(others.data, str(file)).warnings
    assert "examples lack the others: area_px2" in lacking, "no voxel size is known here"
    assert "these labels were measured without the others: area_um2" in unmeasured
    mixed = found.examples.give(ObjectKey(1), theirs[0])
    assert _classify(others, mixed).table["class"].tolist() == theirs


def test_what_examples_lack_is_said(tmp_path: Path) -> None:
    labels, image, true = _cells()
    bare = _classify(labels, _examples(true, 8)).examples.of_another_image()
    found = _classify(labels, bare, image=image)
    (warning,) = found.warnings
    assert "examples lack the others: mean_intensity, std_intensity" in warning
    in_pixels = replace(labels, voxel_size=None)
    few = tuple(replace(row, values={"area_um2": row.values["area_um2"]}) for row in bare.rows)
    with pytest.raises(ValueError, match=r"measured as area_um2, these objects as area_px2.*voxel"):
        _classify(in_pixels, replace(bare, rows=few))


def test_what_labels_lack_is_said() -> None:
    labels, image, true = _cells()
    learnt = _classify(labels, _examples(true, 12), image=image).examples.of_another_image()
    found = _classify(labels, learnt)
    (said,) = found.warnings
    assert "because these labels were measured without the others: mean_" in said
    assert _classify(labels, learnt, image=image).warnings == ()


def test_examples_are_kept_beside_the_labels_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "user"))
    labels, _, _ = _cells()
    (tmp_path / "cells.tif").touch()
    given = Examples((ObjectClass("déchet", "#ff0000", True),)).give(ObjectKey(4, 1, 2), "déchet")
    given = replace(given, rows=(*given.rows, Example("déchet", None, {"area_px2": math.nan})))
    with ModelService() as service:
        kept = service.submit(
            KeepExamplesRequest(labels, tmp_path / "cells.tif", "A/1", given)
        ).result()
        assert kept.name == "cells.tif.A_1.classes.json"
        content = json.loads(kept.read_text(encoding="utf-8"))
        assert content["classes"] == [{"name": "déchet", "color": "#ff0000", "is_wrong": True}]
        assert content["examples"][1]["values"] == {"area_px2": None}
        for path in (tmp_path / "cells.tif", None):
            found = service.submit(FindExamplesRequest(labels, path, "A/1")).result()
            assert (found.classes, found.given, found.digest) == (given.classes, given.given, None)
        assert service.submit(FindExamplesRequest(_cells(1)[0], None)).result() == Examples()


def test_a_table_names_examples_too(tmp_path: Path) -> None:
    file = tmp_path / "examples.csv"
    file.write_text("label;class;t\n3;cell;0\n4; debris ;1\n5;;0\n")
    found = read_examples(file)
    assert found.given == {ObjectKey(3): "cell", ObjectKey(4, 1): "debris"}
    assert [each.name for each in found.classes] == ["cell", "debris"]
    file.write_text("label,class\nthree,cell\n")
    with pytest.raises(ValueError, match=r"Line 2 of .* names no object"):
        read_examples(file)
    file.write_text("label,class,t\n3,cell,1\n4,cell,1\n3,cell,1\n3,debris,1\n")
    with pytest.raises(ValueError, match=r"Line 5 of .* object 3 \(t 1\) is 'debris', but it was"):
        read_examples(file)
    file.write_text(file.read_text().replace("debris", "cell"))
    assert read_examples(file).count() == {"cell": 2}
    for empty in ("", "label,class\n", "label,class\n1,\n"):
        file.write_text(empty)
        with pytest.raises(ValueError, match="holds no examples"):
            read_examples(file)


def test_examples_of_objects_that_are_not_there_teach_nothing() -> None:
    labels, image, true = _cells()
    examples = _examples(true, 12)
    more = examples.give(ObjectKey(900), "cell").give(ObjectKey(7, 2), "debris")
    found = _classify(labels, more, image=image)
    assert found.table["class"].tolist() == true
    assert found.warnings == (
        "2 examples are of objects that the labels do not have: 7 (t 2), 900.",
    )
    assert found.count_examples() == examples.count()
    assert "(from 12 examples)" in found.summary()
    alone = replace(more, rows=more.rows[-2:])
    with pytest.raises(ValueError, match=r"do not have: 7 \(t 2\), 900. These are all; give"):
        _classify(labels, alone, image=image)
    measured = found.examples.of_another_image()
    assert _classify(labels, measured.joined(alone), image=image).count_examples().total() == 12


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"kind": "napari-ssp classes of objects", "classes": [{"name": "a"}, {"name": "b"}], '
        '"examples": [{"class": "a", "label": 1, "values": {}}, '
        '{"class": "b", "label": 1, "values": {}}]}',
        "{",
        '{"kind": "napari-ssp review of labels"}',
        '{"kind": "napari-ssp classes of objects", "classes": [{"name": ""}], "examples": []}',
        '{"kind": "napari-ssp classes of objects", "classes": [{"name": "a", "color": "red"}], '
        '"examples": []}',
        '{"kind": "napari-ssp classes of objects", "classes": [], '
        '"examples": [{"class": "a", "values": {}}]}',
        '{"kind": "napari-ssp classes of objects", "classes": [{"name": "a"}], '
        '"examples": [{"class": "a", "values": [1]}]}',
    ],
)
def test_other_files_are_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "a.classes.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="holds no examples of classes"):
        read_examples(file)


def test_classes_are_renamed_and_removed_with_their_examples() -> None:
    examples = _examples(["cell", "debris", "cell"], 3)
    renamed = examples.change_class("cell", ObjectClass("mitotic", "#112233"))
    assert renamed.count() == {"mitotic": 2, "debris": 1}
    assert [each.name for each in renamed.remove_class("mitotic").classes] == ["debris"]
    assert renamed.remove_class("mitotic").given == {ObjectKey(2): "debris"}
    with pytest.raises(ValueError, match="There is a class 'debris' already"):
        examples.change_class("cell", ObjectClass("debris"))
    assert len({each.color for each in examples.classes}) == 2
