"""Measurements against shapes whose values are known, and scikit-image itself."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings, strategies as st
from skimage.measure import regionprops

from napari_ssp.image import MicroscopyImage
from napari_ssp.measure import measure_objects, measure_steps
from napari_ssp.measure.intensities import channel_labels

if TYPE_CHECKING:
    from pathlib import Path


def ellipse(shape: tuple[int, ...], centre: tuple, axes: tuple) -> np.ndarray:
    grid = np.indices(shape)
    scaled = [(g - c) / a for g, c, a in zip(grid, centre, axes, strict=True)]
    return (sum(s**2 for s in scaled) <= 1).astype(np.int32)


def row(table: dict, label: int) -> dict[str, float]:
    (place,) = np.flatnonzero(table["label"] == label)
    return {name: column[place] for name, column in table.items()}


def test_a_rectangle_is_exact() -> None:
    labels = np.zeros((30, 40), np.uint16)
    labels[5:9, 10:22] = 3
    found = row(measure_objects(labels, voxel_size=(1, 0.5, 0.5)), 3)
    assert found["area_um2"] == 4 * 12 * 0.25
    assert (found["centroid_y_um"], found["centroid_x_um"]) == (3.25, 7.75)
    assert (found["centroid_y_px"], found["centroid_x_px"]) == (6.5, 15.5)
    assert [found[f"bbox_{a}_{end}_px"] for a in "yx" for end in ("start", "stop")] == [
        5,
        9,
        10,
        22,
    ]
    assert found["equivalent_diameter_um"] == pytest.approx(np.sqrt(4 * 12 / pi))
    assert found["solidity"] == 1
    # Second moments of the pixels' centres: (n² - 1) / 12 along each side.
    moments = np.array([4**2 - 1, 12**2 - 1]) / 12
    assert found["axis_major_um"] == pytest.approx(4 * np.sqrt(moments[1]) / 2)
    assert found["axis_minor_um"] == pytest.approx(4 * np.sqrt(moments[0]) / 2)
    assert found["eccentricity"] == pytest.approx(np.sqrt(1 - moments[0] / moments[1]))


def test_an_ellipse_nears_its_formulas() -> None:
    labels = ellipse((300, 500), (150, 250), (100, 200))
    found = row(measure_objects(labels), 1)
    assert found["area_px2"] == pytest.approx(pi * 100 * 200, rel=1e-3)
    assert found["axis_major_px"] == pytest.approx(400, rel=1e-3)
    assert found["axis_minor_px"] == pytest.approx(200, rel=1e-3)
    assert found["eccentricity"] == pytest.approx(np.sqrt(1 - 0.25), rel=1e-3)
    assert found["solidity"] > 0.99
    around = pi * (3 * 300 - np.sqrt(500 * 700))  # Ramanujan
    assert found["perimeter_px"] == pytest.approx(around, rel=2e-3)
    assert not [name for name in found if name.endswith(("um", "um2"))]


@pytest.mark.parametrize("radius", [3, 6, 10, 25, 60])
def test_the_perimeter_of_disks_is_within_two_percent(radius: int) -> None:
    labels = ellipse((130, 130), (64.2, 63.7), (radius, radius))
    found = measure_objects(labels, voxel_size=(1, 0.5, 0.5))["perimeter_um"]
    assert found == pytest.approx(pi * radius, rel=0.02)


def test_pixels_that_are_not_square() -> None:
    # A disk of 40 µm on pixels of 0.5 by 0.25 µm.
    labels = ellipse((200, 400), (100, 200), (80, 160))
    found = row(measure_objects(labels, voxel_size=(1, 0.5, 0.25)), 1)
    assert found["area_um2"] == pytest.approx(pi * 40**2, rel=1e-3)
    assert found["eccentricity"] == pytest.approx(0, abs=0.05)
    assert found["axis_major_um"] == pytest.approx(80, rel=2e-3)
    assert np.isnan(found["perimeter_um"])
    # The last digits of a file do not make them unequal.
    nearly = row(measure_objects(labels, voxel_size=(1, 0.5, 0.5000001)), 1)
    assert nearly["perimeter_um"] == pytest.approx(
        0.5 * row(measure_objects(labels), 1)["perimeter_px"]
    )


def test_a_ball_in_an_anisotropic_stack() -> None:
    labels = ellipse((30, 100, 100), (15, 50, 50), (8, 40, 40))
    found = row(measure_objects(labels, voxel_size=(1.0, 0.2, 0.2)), 1)
    assert found["volume_um3"] == pytest.approx(4 / 3 * pi * 8**3, rel=1e-2)
    assert found["equivalent_diameter_um"] == pytest.approx(16, rel=1e-2)
    assert [found[f"centroid_{a}_um"] for a in "zyx"] == pytest.approx([15, 10, 10])
    assert [found[f"centroid_{a}_px"] for a in "zyx"] == pytest.approx([15, 50, 50])
    assert (found["bbox_z_start_px"], found["bbox_z_stop_px"]) == (7, 24)
    assert "area_um2" not in found
    assert "volume_px3" in measure_objects(labels)


def test_intensities_by_channel_name() -> None:
    labels = np.array([[1, 1, 0], [0, 5, 5]])
    data = np.array([[[10, 20, 0], [0, 7, 7]], [[1, 2, 3], [4, 5, 6]]], np.uint16)
    image = MicroscopyImage(data, "cyx", (1.0, 0.1, 0.1), ("DAPI", "GFP"))
    table = measure_objects(labels, image)
    assert table["mean_DAPI"].tolist() == [15, 7]
    assert table["std_DAPI"].tolist() == [5, 0]
    assert table["min_GFP"].tolist() == [1, 5]
    assert table["max_GFP"].tolist() == [2, 6]
    assert table["sum_GFP"].tolist() == [3, 11]
    # The image's voxel size is used where labels have none.
    assert table["area_um2"] == pytest.approx([0.02, 0.02])


@pytest.mark.parametrize(
    ("image", "names"),
    [
        (MicroscopyImage(np.ones((2, 3)), "yx"), ["intensity"]),
        (MicroscopyImage(np.ones((2, 2, 3)), "cyx"), ["channel_0", "channel_1"]),
        (MicroscopyImage(np.ones((2, 2, 3)), "cyx", None, ("a", "a")), ["a_0", "a_1"]),
        (MicroscopyImage(np.ones((2, 2, 3)), "cyx", None, ("", "_0")), ["_0_0", "_0"]),
        (
            MicroscopyImage(np.ones((3, 2, 3)), "cyx", None, ("A", "A", "A_0")),
            ["A_0_0", "A_1", "A_0"],
        ),
        (MicroscopyImage(np.ones((2, 3, 4), "u1"), "yxc", rgb=True), ["red", "green", "blue"]),
    ],
)
def test_names_of_channels(image: MicroscopyImage, names: list[str]) -> None:
    table = measure_objects(np.ones((2, 3), int), image)
    assert [n.removeprefix("sum_") for n in table if n.startswith("sum_")] == names
    assert [table[f"sum_{name}"].tolist() for name in names] == [[6.0]] * len(names)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", " ", "A", "A_0", "A_1", "A_0_0", "_0", "_1"]), max_size=6))
def test_each_channel_has_columns_of_its_own(names: list[str]) -> None:
    image = MicroscopyImage(np.ones((max(len(names), 1), 2, 3)), "cyx", None, tuple(names))
    labels = channel_labels(image)
    assert [channel for channel, _ in labels.values()] == list(range(image.num_channels))


def test_large_offsets_keep_their_digits() -> None:
    data = np.full((64, 64), 60_000, np.float32)
    data[::2] += 1
    image = MicroscopyImage(data, "yx")
    table = measure_objects(np.ones((64, 64), int), image)
    assert table["mean_intensity"][0] == 60_000.5
    assert table["std_intensity"][0] == 0.5
    assert table["sum_intensity"][0] == 64 * 64 * 60_000.5


def test_a_pixel_that_is_no_number_spoils_its_object_alone() -> None:
    """Without a warning of numpy on the terminal: the empty field says enough."""
    labels = np.repeat([[1, 2, 3, 4]], 3, axis=0)
    for value in (np.nan, np.inf, -np.inf, 1e308):
        pixels = np.ones((3, 4))
        pixels[0, 1], pixels[1, 1] = value, -value
        table = measure_objects(labels, MicroscopyImage(pixels, "yx"))
        assert table["mean_intensity"][[0, 2, 3]].tolist() == [1, 1, 1]
        assert not np.isfinite(table["std_intensity"][1])


def test_real_labels_are_measured_as_by_regionprops(shared_data: Path) -> None:
    path = sorted((shared_data / "dsb2018" / "val" / "labels").glob("*.tiff"))[0]
    labels = tifffile.imread(path)
    table = measure_objects(labels)
    expected = regionprops(labels.astype(int))
    assert table["label"].tolist() == [one.label for one in expected]
    for ours, theirs in (
        ("area_px2", "area"),
        ("perimeter_px", "perimeter_crofton"),
        ("eccentricity", "eccentricity"),
        ("solidity", "solidity"),
        ("axis_minor_px", "axis_minor_length"),
    ):
        np.testing.assert_allclose(table[ours], [one[theirs] for one in expected], err_msg=ours)


def test_ids_with_gaps_and_beyond_32_bits() -> None:
    labels = np.zeros((6, 6), np.int64)
    labels[0, 0], labels[2, 2:4], labels[5, :3] = 2**40, 70_000, 3
    table = measure_objects(labels)
    assert table["label"].tolist() == [3, 70_000, 2**40]
    assert table["area_px2"].tolist() == [3, 2, 1]
    full = measure_objects(np.full((3, 3), 2**63 + 5, np.uint64))
    assert full["label"].tolist() == [2**63 + 5]


def test_one_pixel_and_one_line() -> None:
    labels = np.zeros((5, 5), int)
    labels[2, 2], labels[4] = 1, 2
    table = measure_objects(labels)
    assert table["area_px2"].tolist() == [1, 5]
    assert table["eccentricity"].tolist() == [0, 1]
    assert table["solidity"].tolist() == [1, 1]
    assert all(np.isfinite(column).all() for column in table.values())


def test_nothing_gives_the_same_columns() -> None:
    image = MicroscopyImage(np.zeros((4, 5)), "yx", (1.0, 1.0, 1.0))
    empty, full = (measure_objects(np.full((4, 5), n), image) for n in (0, 1))
    assert list(empty) == list(full)
    assert {column.shape for column in empty.values()} == {(0,)}
    assert {n: c.dtype for n, c in empty.items()} == {n: c.dtype for n, c in full.items()}


def test_more_objects_than_sixteen_bits() -> None:
    labels = np.zeros((2, 520, 520), np.int64)
    labels[0, ::2, ::2] = np.arange(1, 67_601).reshape(260, 260) * 3
    table = measure_objects(labels)
    assert table["label"].tolist() == list(range(3, 3 * 67_600 + 1, 3))
    assert set(table["volume_px3"]) == {1.0}
    np.testing.assert_array_equal(table["centroid_x_px"], np.tile(np.arange(0, 520, 2), 260))


def test_movies_have_a_row_per_frame() -> None:
    labels = np.zeros((3, 8, 8), np.uint8)
    labels[0, :2, :2], labels[2, :4, :2], labels[2, 6, 6] = 1, 1, 9
    data = np.arange(3)[:, None, None] * np.ones((3, 8, 8))
    table = measure_objects(
        MicroscopyImage(labels, "tyx", (1.0, 2.0, 2.0)), MicroscopyImage(data, "tyx")
    )
    assert table["t"].tolist() == [0, 2, 2]
    assert table["label"].tolist() == [1, 1, 9]
    assert table["area_um2"].tolist() == [16, 32, 4]
    assert table["mean_intensity"].tolist() == [0, 2, 2]
    assert "z" not in table


def test_planes_of_a_stack_one_by_one() -> None:
    labels = np.zeros((2, 3, 4, 5), np.uint8)
    labels[1, 1, :2], labels[1, 2, :3] = 7, 7
    table = measure_objects(labels, planewise=True)
    assert (table["t"].tolist(), table["z"].tolist()) == ([1, 1], [1, 2])
    assert table["area_px2"].tolist() == [10, 15]
    whole = measure_objects(labels)
    assert whole["volume_px3"].tolist() == [25]
    assert "z" not in whole


def test_a_stack_of_one_plane_is_a_plane() -> None:
    labels = MicroscopyImage(np.ones((1, 4, 5), int), "zyx")
    image = MicroscopyImage(np.ones((4, 5)), "yx")
    assert measure_objects(labels, image)["area_px2"].tolist() == [20]


def test_progress_counts_objects_frame_by_frame() -> None:
    labels = np.ones((2, 65, 65), int)
    labels[1] = np.arange(1, 4226).reshape(65, 65)
    steps = list(measure_steps(MicroscopyImage(labels, "tyx")))
    assert [(p.stage, p.done, p.total) for p in steps] == [
        ("measuring objects, 1 of 2", 0, 1),
        ("measuring objects, 2 of 2", 0, 4225),
        ("measuring objects, 2 of 2", 4096, 4225),
    ]


def test_bad_input_is_explained() -> None:
    good = np.ones((4, 5), int)
    with pytest.raises(TypeError, match="dtype bool"):
        measure_objects(good > 0)
    with pytest.raises(ValueError, match="negative number -2"):
        measure_objects(-2 * good)
    with pytest.raises(
        ValueError, match=r"labels have the axes 'yx' and shape \(4, 5\), the image"
    ):
        measure_objects(good, MicroscopyImage(np.ones((5, 4)), "yx"))
    with pytest.raises(ValueError, match="2 channels"):
        measure_objects(MicroscopyImage(np.ones((2, 4, 5), int), "cyx"))
    with pytest.raises(ValueError, match="5 axes"):
        measure_objects(np.ones((1, 1, 1, 2, 2), int))
    with pytest.raises(ValueError, match="three positive numbers"):
        measure_objects(good, voxel_size=(1, 0, 1))
