from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from image_files import (
    noise,
    ome,
    write_appended,
    write_channel_set,
    write_companion_set,
    write_plate,
    write_position_set,
    write_positions,
)

from napari_ssp.io import (
    find_images,
    find_label_images,
    read_image,
    read_images,
    read_label_image,
    write_labels,
)
from napari_ssp.io.label_names import leave_results_out
from napari_ssp.io.layer_attributes import WARNINGS_KEY
from napari_ssp.io.napari_reader import get_reader, read_layers
from napari_ssp.io.scene import scene_names
from napari_ssp.io.tiff import reading

A, B, C = (noise(20, 30, seed=k) for k in range(3))


def named(paths: list[Path], scene: str | int | None = None) -> list[tuple[str, str | None, str]]:
    return [(s.path.name, s.scene, s.name) for s in find_images(paths, scene)[0]]


def pixels(path: Path, scene: str | int | None = None) -> np.ndarray:
    return np.asarray(read_image(path, scene).data)


# Scenes


def test_every_position_of_an_ome_tiff_is_an_image(tmp_path: Path) -> None:
    path = write_positions(tmp_path / "cells.ome.tif", [A, B, C], ["Pos0", "Pos1", "a:b?"])
    sources, notes = find_images([tmp_path])
    assert [(s.scene, s.name) for s in sources] == [
        ("Pos0", "cells Pos0"),
        ("Pos1", "cells Pos1"),
        ("a:b?", "cells a_b_"),
    ]
    assert notes == [f"'{path}' holds 3 images (Pos0, Pos1, a:b?)."]
    for source, expected in zip(sources, (A, B, C), strict=True):
        image = read_image(source.path, source.scene)
        assert (image.name, image.warnings) == (source.name, ())
        np.testing.assert_array_equal(image.data, expected)


def test_a_scene_is_found_by_name_and_by_number(tmp_path: Path) -> None:
    path = write_positions(tmp_path / "cells.ome.tif", [A, B, C], ["one", "0", "two"])
    for wanted, expected in [("one", A), ("two", C), ("0", B), (0, A), ("1", B), (2, C)]:
        np.testing.assert_array_equal(pixels(path, wanted), expected)
        (source,) = find_images([path], wanted)[0]
        np.testing.assert_array_equal(pixels(source.path, source.scene), expected)
    for wanted in ("three", "7", 3, -1):
        message = r"has no scene '.+': it holds 3 images \(one, 0, two\)"
        with pytest.raises(ValueError, match=message):
            read_image(path, wanted)
        with pytest.raises(ValueError, match=message):
            find_images([path], wanted)


def test_the_only_image_is_found_by_its_name_too(tmp_path: Path) -> None:
    path = write_positions(tmp_path / "cells.ome.tif", [A], ["only"])
    assert named([path], "only") == named([path], "0") == [("cells.ome.tif", None, "cells")]
    with pytest.raises(ValueError, match=r"no scene 'other': it holds one image \(only\)"):
        find_images([path], "other")


def test_the_first_of_several_is_taken_aloud(tmp_path: Path) -> None:
    path = write_positions(tmp_path / "cells.ome.tif", [A, B], ["Pos0", "Pos1"])
    image = read_image(path)
    np.testing.assert_array_equal(image.data, A)
    (warning,) = image.warnings
    assert "holds 2 images (Pos0, Pos1); the first, 'Pos0', is taken" in warning
    assert [image.warnings for image in read_images(path)] == [(), ()]


def test_names_differ_also_as_files() -> None:
    assert scene_names(["a"]) == [""]
    assert scene_names(["", ""]) == ["0", "1"]
    assert scene_names(["a", "A", "b"]) == ["a 0", "A 1", "b"]
    assert scene_names(["x/y", "x:y"]) == ["x/y 0", "x:y 1"]
    assert scene_names(["a", "a", "a 1"]) == ["a 0", "a 1", "a 1 2"]


def test_scenes_of_a_czi(tmp_path: Path) -> None:
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(tmp_path / "s.czi")) as file:
        for scene, image in enumerate((A, B)):
            plane = {"C": 0, "T": 0, "Z": 0}
            file.write(data=image, plane=plane, location=(900 * scene, 0), scene=scene)
    assert named([tmp_path]) == [("s.czi", "0", "s 0"), ("s.czi", "1", "s 1")]
    np.testing.assert_array_equal(pixels(tmp_path / "s.czi", "1"), B)
    assert [layer[1]["name"] for layer in read_layers(str(tmp_path / "s.czi"))] == ["s 0", "s 1"]


# Sets of files


def test_a_set_is_one_image_whichever_file_is_named(tmp_path: Path) -> None:
    files = write_channel_set(tmp_path / "set", [A, B, C])
    sources, notes = find_images([tmp_path / "set"])
    assert [(s.path, s.scene, s.name) for s in sources] == [(files[0], None, "set_C0")]
    assert notes == [
        f"set_C1.ome.tif, set_C2.ome.tif belong to the set of '{files[0]}', which is taken once."
    ]
    for file in files:
        assert named([file]) == [(file.name, None, "set_C0")]
        image = read_image(file)
        assert (image.axes, image.name, image.warnings) == ("cyx", "set_C0", ())
        np.testing.assert_array_equal(image.data, [A, B, C])


def test_two_sets_in_a_folder_stay_apart(tmp_path: Path) -> None:
    one, other = (write_channel_set(tmp_path, [A, B], stem) for stem in ("one", "other"))
    tifffile.imwrite(tmp_path / "plain.tif", C)
    # Both sets have the same identifiers, as copies of one recording.
    assert [s.path for s in find_images([tmp_path])[0]] == [
        one[0],
        other[0],
        tmp_path / "plain.tif",
    ]
    np.testing.assert_array_equal(pixels(other[1]), [A, B])


@pytest.mark.parametrize("eager_bytes", [0, 10**9])
def test_positions_in_files_of_their_own_are_not_mixed_up(
    tmp_path: Path, eager_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "EAGER_BYTES", eager_bytes)
    files = write_position_set(tmp_path / "set", [A, B, C])
    expected = [("Pos0", "well_p0 Pos0"), ("Pos1", "well_p0 Pos1"), ("Pos2", "well_p0 Pos2")]
    for file in files:
        found = find_images([file])[0]
        assert [(s.scene, s.name) for s in found] == expected
        for image, part in zip(read_images(file), (A, B, C), strict=True):
            np.testing.assert_array_equal(np.asarray(image.data), part)


def test_an_incomplete_set_names_what_is_missing(tmp_path: Path) -> None:
    files = write_channel_set(tmp_path / "set", [A, B])
    files[0].unlink()
    message = r"set_C1\.ome\.tif' belongs to a set of files, of which 'set_C0\.ome\.tif' is not"
    with pytest.raises(FileNotFoundError, match=message):
        read_image(files[1])
    with pytest.raises(FileNotFoundError, match=message):
        read_layers(str(files[1]))
    assert named([tmp_path / "set"]) == [("set_C1.ome.tif", None, "set_C0")]
    image = read_image(files[1], missing="zeros")
    np.testing.assert_array_equal(image.data, [np.zeros_like(B), B])
    assert image.warnings == (
        "1 of 2 planes of 'set_C1.ome.tif' are 0, because 'set_C0.ome.tif' is not there.",
    )


def test_complete_positions_of_an_incomplete_set_are_read(tmp_path: Path) -> None:
    files = write_position_set(tmp_path / "set", [A, B, C])
    files[0].unlink()
    assert [s.scene for s in find_images([tmp_path / "set"])[0]] == ["Pos0", "Pos1", "Pos2"]
    np.testing.assert_array_equal(pixels(files[1], "Pos2"), C)
    np.testing.assert_array_equal(pixels(files[2], "Pos1"), B)
    message = r"of which 'well_p0\.ome\.tif' is not there"
    with pytest.raises(FileNotFoundError, match=message):
        read_image(files[1], "Pos0")
    with pytest.warns(UserWarning, match=f"well_p0 Pos0: .*{message}"):
        layers = read_layers(str(files[1]))
    assert [layer[1]["name"] for layer in layers] == ["well_p0 Pos1", "well_p0 Pos2"]


def test_a_companion_describes_a_set(tmp_path: Path) -> None:
    files = write_companion_set(tmp_path / "set", [A, B])
    assert named([tmp_path / "set"]) == [("part0.ome.tif", None, "part0")]
    for file in files:
        np.testing.assert_array_equal(pixels(file), [A, B])
    files[0].unlink()
    with pytest.raises(FileNotFoundError, match=r"of which 'part0\.ome\.tif' is not there"):
        read_image(files[1])
    with pytest.raises(ValueError, match="only describes the images of a set"):
        read_image(tmp_path / "set" / "all.companion.ome")
    (tmp_path / "set" / "all.companion.ome").unlink()
    with pytest.raises(FileNotFoundError, match=r"leaves its description to 'all\.companion\.ome'"):
        read_image(files[1])


def test_an_image_of_a_companion_goes_to_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "EAGER_BYTES", 0)
    files = write_companion_set(tmp_path / "set", [A, B])
    for file in files:
        sent = pickle.loads(pickle.dumps(read_image(file).data))
        np.testing.assert_array_equal(np.asarray(sent), [A, B])


def test_a_renamed_file_that_names_itself_is_complete(tmp_path: Path) -> None:
    content = (
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="30" '
        'SizeY="20" SizeZ="1" SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        '<TiffData IFD="0" PlaneCount="1"><UUID FileName="before.ome.tif">urn:uuid:1</UUID>'
        "</TiffData></Pixels></Image>"
    )
    for uuid in (None, "urn:uuid:1"):
        path = tmp_path / f"after{len(uuid or '')}.ome.tif"
        tifffile.imwrite(path, A, description=ome(content, uuid), metadata=None)
        np.testing.assert_array_equal(pixels(path), A)


def test_a_recording_that_ended_early_is_said(tmp_path: Path) -> None:
    content = (
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="30" '
        'SizeY="20" SizeZ="3" SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        '<TiffData IFD="0" PlaneCount="2"/></Pixels></Image>'
    )
    path = tmp_path / "short.ome.tif"
    tifffile.imwrite(path, np.stack([A, B]), description=ome(content), metadata=None)
    with pytest.raises(OSError, match=r"3 planes, of which 1 are not there.*--missing zeros"):
        read_image(path)
    image = read_image(path, missing="zeros")
    np.testing.assert_array_equal(image.data, [A, B, np.zeros_like(A)])
    assert image.warnings == (
        "1 of 3 planes of 'short.ome.tif' are 0, because the file does not hold them.",
    )


# Pages


@pytest.mark.parametrize("eager_bytes", [0, 10**9])
def test_pages_of_one_shape_are_a_stack(
    tmp_path: Path, eager_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "EAGER_BYTES", eager_bytes)
    path = write_appended(tmp_path / "appended.tif", [A, B, C])
    assert named([path]) == [("appended.tif", None, "appended")]
    image = read_image(path)
    assert image.axes == "zyx"
    np.testing.assert_array_equal(np.asarray(image.data), [A, B, C])
    assert "3 pages of one shape" in image.warnings[0]
    (layer,) = read_layers(str(path))
    assert layer[1]["axis_labels"] == ("z", "y", "x")
    assert layer[1]["metadata"][WARNINGS_KEY] == image.warnings
    np.testing.assert_array_equal(np.asarray(layer[0]), [A, B, C])


@pytest.mark.parametrize("eager_bytes", [0, 10**9])
def test_pages_are_a_stack_however_each_is_compressed(
    tmp_path: Path, eager_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "EAGER_BYTES", eager_bytes)
    path = tmp_path / "mixed.tif"
    for page, compression in ((A, None), (B, "zlib"), (C, None)):
        tifffile.imwrite(path, page, append=True, metadata=None, compression=compression)
    image = read_image(path)
    assert image.axes == "zyx"
    np.testing.assert_array_equal(np.asarray(image.data), [A, B, C])
    assert "3 pages of one shape" in image.warnings[0]


def test_stacks_that_were_appended_stay_apart(tmp_path: Path) -> None:
    path = write_appended(tmp_path / "stacks.tif", [noise(4, 20, 30), noise(4, 20, 30, seed=1)])
    assert [image.shape for image in read_images(path)] == [(4, 20, 30)] * 2


def test_pages_of_colours_and_pages_that_differ(tmp_path: Path) -> None:
    colours = [noise(20, 30, 3, seed=k) for k in range(2)]
    path = write_appended(tmp_path / "colours.tif", colours)
    image = read_image(path)
    assert (image.axes, image.rgb) == ("zyxc", True)
    np.testing.assert_array_equal(image.data, colours)
    differ = write_appended(tmp_path / "differ.tif", [A, B[:10], C])
    sources, notes = find_images([differ])
    assert [s.name for s in sources] == ["differ 0", "differ 1", "differ 2"]
    assert notes == [f"'{differ}' holds 3 images (0, 1, 2)."]
    for source, expected in zip(sources, (A, B[:10], C), strict=True):
        np.testing.assert_array_equal(pixels(source.path, source.scene), expected)


# What systems leave in folders


def test_files_of_the_system_are_skipped(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "A01.tif", A)
    note = bytes([0, 5, 22, 7]) + bytes(4092)
    for name in ("._A01.tif", "._x.zarr", ".hidden.tif", "~$A01.tif", "A02.tif"):
        (tmp_path / name).write_bytes(note)
    (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(508))
    for name in (".DS_Store", "desktop.ini"):
        (tmp_path / name).write_bytes(b"\0" * 10)
    for name in ("__MACOSX", ".AppleDouble"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "A01.tif").write_bytes(note)
    assert find_images([tmp_path])[1] == []
    assert named([tmp_path]) == [("A01.tif", None, "A01")]
    for name in ("._A01.tif", "Thumbs.db", "desktop.ini", ".DS_Store", "~$A01.tif", "A02.tif"):
        with pytest.raises(ValueError, match=r"is no image: the system keeps its own notes"):
            read_image(tmp_path / name)
    with pytest.raises(ValueError, match="holds no images"):
        find_images([tmp_path / ".AppleDouble"])


def test_labels_and_flows_beside_their_images_are_told_by_their_names() -> None:
    names = ["a.tif", "a_label.tiff", "a_flows.tiff", "a 1_masks.tif", "b_mask.tif", "c_flows.tif"]
    kept = [path.name for path in leave_results_out([Path(name) for name in names])]
    assert kept == ["a.tif", "b_mask.tif", "c_flows.tif"]


def test_a_hidden_image_may_be_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / ".a.tif", A)
    np.testing.assert_array_equal(pixels(tmp_path / ".a.tif"), A)


def test_a_broken_file_stays_in_the_list(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0 cut off")
    tifffile.imwrite(tmp_path / "b.tif", B)
    assert named([tmp_path]) == [("a.tif", None, "a"), ("b.tif", None, "b")]


# Plates


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_wells_and_fields_of_a_plate(tmp_path: Path, version: str) -> None:
    path = write_plate(tmp_path / "p.ome.zarr", ["A/1", "B/02"], [A, B], version)
    fields = ["A/1/0", "A/1/1", "B/02/0", "B/02/1"]
    names = ["p A1 0", "p A1 1", "p B02 0", "p B02 1"]
    found = find_images([path])[0]
    assert [(s.scene, s.name) for s in found] == list(zip(fields, names, strict=True))
    np.testing.assert_array_equal(pixels(path, "B/02/1"), B)
    assert read_image(path).voxel_size == (1.0, 0.65, 0.65)
    assert [s.scene for s in find_images([path], "B/02")[0]] == fields[2:]
    assert [s.name for s in find_images([path / "A" / "1"])[0]] == names[:2]
    assert [s.name for s in find_images([path / "B" / "02" / "1"])[0]] == ["p B02 1"]
    np.testing.assert_array_equal(pixels(path / "A" / "1", 1), B)
    assert [layer[1]["name"] for layer in read_layers(str(path))] == names
    with pytest.raises(ValueError, match="has no scene 'C/1': it holds 4 images"):
        read_image(path, "C/1")


def test_a_large_plate_says_how_to_open_a_well(tmp_path: Path) -> None:
    wells = [f"{row}/{column}" for row in "ABCDE" for column in range(5)]
    path = write_plate(tmp_path / "p.ome.zarr", wells, [A])
    assert len(find_images([path])[0]) == 25
    with pytest.raises(ValueError, match=r"plate of 25 fields, too many .* Open one well.*p\.ome"):
        read_layers(str(path))


def test_a_field_of_a_plate_is_read_without_the_other_wells(tmp_path: Path) -> None:
    path = write_plate(tmp_path / "p.ome.zarr", ["A/1", "A/2"], [A, B])
    write_labels(path / "A" / "2" / "1" / "labels" / "my cells", np.ones_like(B))
    write_labels(path / "A" / "2" / "1" / "labels" / "nuclei", 2 * np.ones_like(B))
    shutil.rmtree(path / "A" / "1")
    np.testing.assert_array_equal(pixels(path, "A/2/1"), B)
    found = read_label_image(path, "A/2/1 nuclei")
    np.testing.assert_array_equal(np.asarray(found.data), 2 * np.ones_like(B))
    for wanted in ("A/2/1 my cells", "A/2/9", 0):
        with pytest.raises(OSError, match="its metadata name 'A/1', which is not there"):
            read_label_image(path, wanted)


def test_what_a_plate_lacks_is_named(tmp_path: Path) -> None:
    path = write_plate(tmp_path / "p.ome.zarr", ["A/1"], [A])
    (path / "A" / "1" / "zarr.json").unlink()
    with pytest.raises(OSError, match="its metadata name 'A/1', which is not there"):
        read_image(path)


# napari hands dropped files over one by one


def test_a_dropped_set_is_opened_once(tmp_path: Path) -> None:
    files = [str(file) for file in write_channel_set(tmp_path / "set", [A, B])]
    with pytest.warns(UserWarning, match=r"set_C1\.ome\.tif belongs to the set of"):
        assert len(read_layers(files)) == 2
    reader = get_reader(files[0])
    assert reader is not None
    layers = reader(files[0])
    assert [layer[1]["name"] for layer in layers] == ["set_C0 channel 0", "set_C0 channel 1"]
    with pytest.warns(UserWarning, match="which is open already"):
        assert reader(files[1]) == [(None,)]
    assert len(reader(files[0])) == 2
    del layers
    assert len(reader(files[1])) == 2


def test_labels_of_several_images(tmp_path: Path) -> None:
    path = write_positions(tmp_path / "x_label.ome.tif", [A, B], ["Pos0", "Pos1"])
    assert [(s.scene, s.name) for s in find_label_images([path])[0]] == [
        ("Pos0", "x_label Pos0"),
        ("Pos1", "x_label Pos1"),
    ]
    np.testing.assert_array_equal(read_label_image(path, "Pos1").data, B)
    assert "the first, 'Pos0', is taken" in read_label_image(path).warnings[0]
