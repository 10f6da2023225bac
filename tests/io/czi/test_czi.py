from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest

from napari_ssp.io import read_image, read_images
from napari_ssp.io.calibration import calibrate
from napari_ssp.io.czi.metadata import parse_czi

czi = pytest.importorskip("pylibCZIrw.czi")

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def noise(*shape: int, dtype: str = "u2") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def written(path: Path, blocks: Callable[[Any], None], **metadata: Any) -> Path:
    with czi.create_czi(str(path)) as file:
        blocks(file)
        file.write_metadata("test", **metadata)
    return path


def test_a_real_plane_equals_its_tiff(shared_data: Path) -> None:
    folder = shared_data / "reader_files"
    image = read_image(folder / "aics_single_plane.czi")
    assert (image.axes, image.shape, image.dtype) == ("yx", (325, 475), np.uint16)
    assert image.voxel_size == pytest.approx((1.0, 13 / 12, 13 / 12))
    assert image.channel_names == ("Bright",)
    assert image.name == "aics_single_plane"
    assert isinstance(image.data, da.Array)
    for other in ("aics_single_plane.ome.tiff", "aics_single_plane.tiff"):
        np.testing.assert_array_equal(image.plane(), read_image(folder / other).plane())


def test_real_scenes_are_separate_images(shared_data: Path) -> None:
    first, second = read_images(shared_data / "reader_files" / "neubias_two_scenes.czi")
    assert [first.name, second.name] == ["neubias_two_scenes 0", "neubias_two_scenes 1"]
    for image in (first, second):
        assert (image.axes, image.shape, image.dtype) == ("zyx", (2, 251, 251), np.uint16)
        assert image.voxel_size == pytest.approx((0.3, 0.195644376, 0.195644376))
        assert image.channel_names == ("ChA",)
    # As the file stores its blocks: each scene has its own pixels in the same place.
    raw = (shared_data / "reader_files" / "neubias_two_scenes.czi").read_bytes()
    stored = [np.asarray(image.data).tobytes() for image in (first, second)]
    planes = [half for pixels in stored for half in (pixels[: 251 * 251 * 2], pixels[-1000:])]
    assert all(plane in raw for plane in planes)
    assert stored[0] != stored[1]


def test_all_axes_start_where_the_file_says(tmp_path: Path) -> None:
    pixels = noise(3, 2, 4, 30, 40)

    def blocks(file: Any) -> None:
        for t, c, z in np.ndindex(pixels.shape[:3]):
            place = {"T": t + 5, "C": c, "Z": z}
            file.write(pixels[t, c, z][..., None], plane=place, location=(-7, 9))

    size = {"scale_x": 1e-7, "scale_y": 2e-7, "scale_z": 5e-7}
    path = written(tmp_path / "a.czi", blocks, channel_names={0: "Bright", 1: "EGFP"}, **size)
    image = read_image(path)
    assert (image.axes, image.shape) == ("tczyx", pixels.shape)
    assert image.channel_names == ("Bright", "EGFP")
    assert image.voxel_size == pytest.approx((0.5, 0.2, 0.1))
    np.testing.assert_array_equal(np.asarray(image.data), pixels)
    np.testing.assert_array_equal(image.plane(t=2, z=1, channel=1), pixels[2, 1, 1])
    np.testing.assert_array_equal(
        np.asarray(image.data[1, ::-1, 2, 5:20:3, -4]), pixels[1, ::-1, 2, 5:20:3, -4]
    )


@pytest.mark.parametrize(
    ("size", "doubt"),
    [
        ({"scale_x": 1e-7, "scale_y": 1e-4}, "100 µm high and 0.1 µm wide"),
        ({"scale_x": 0.1, "scale_y": 0.1}, "100000 µm high and 100000 µm wide"),
        ({"scale_x": 1e-7, "scale_y": 1e-7, "scale_z": 1e-3}, "1000 µm apart"),
    ],
)
def test_lengths_that_cannot_be(tmp_path: Path, size: dict[str, float], doubt: str) -> None:
    def blocks(file: Any) -> None:
        for z in range(2):
            file.write(noise(9, 8)[..., None], plane={"Z": z})

    image = read_image(written(tmp_path / "a.czi", blocks, **size))
    assert image.voxel_size is None
    assert doubt in image.warnings[0]


def test_scenes_of_different_size_with_tiles(tmp_path: Path) -> None:
    left, right = noise(50, 30), noise(20, 25) + 7

    def blocks(file: Any) -> None:
        for y in (0, 25):
            for x in (0, 20):
                tile = left[y : y + 25, x : x + 20]
                file.write(tile[..., None], scene=0, location=(100 + x, 10 + y))
        file.write(right[..., None], scene=1, location=(300, 0))

    first, second = read_images(written(tmp_path / "tiles.czi", blocks))
    np.testing.assert_array_equal(first.plane(), left)
    np.testing.assert_array_equal(second.plane(), right)
    assert first.voxel_size is None


def test_a_scene_may_have_its_own_depth(tmp_path: Path) -> None:
    pixels = noise(5, 20, 20)

    def blocks(file: Any) -> None:
        for z in range(5):
            file.write(pixels[z][..., None], plane={"Z": z}, scene=0)
        for z in (2, 3):
            file.write(pixels[z][..., None], plane={"Z": z}, scene=1, location=(50, 0))

    first, second = read_images(written(tmp_path / "depths.czi", blocks))
    np.testing.assert_array_equal(np.asarray(first.data), pixels)
    np.testing.assert_array_equal(np.asarray(second.data), pixels[2:4])


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    pixels = noise(2, 30, 40, 3, dtype="u1")

    def blocks(file: Any) -> None:
        for z in range(2):
            file.write(pixels[z, ..., ::-1].copy(), plane={"Z": z})

    image = read_image(written(tmp_path / "rgb.czi", blocks))
    assert (image.axes, image.rgb, image.dtype) == ("zyxc", True, np.uint8)
    np.testing.assert_array_equal(np.asarray(image.data), pixels)
    np.testing.assert_array_equal(image.plane(z=1), pixels[1])


def test_channels_of_different_types_share_one(tmp_path: Path) -> None:
    grey, real = noise(20, 30, dtype="u1"), noise(20, 30).astype("f4") / 7

    def blocks(file: Any) -> None:
        file.write(grey[..., None], plane={"C": 0})
        file.write(real[..., None], plane={"C": 1})

    image = read_image(written(tmp_path / "types.czi", blocks))
    assert image.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(image.data), np.stack([grey, real]))


def test_colours_beside_grey_are_refused(tmp_path: Path) -> None:
    def blocks(file: Any) -> None:
        file.write(noise(20, 30, 3, dtype="u1"), plane={"C": 0})
        file.write(noise(20, 30, 1, dtype="u1"), plane={"C": 1})

    path = written(tmp_path / "mixed.czi", blocks)
    with pytest.raises(ValueError, match=r"types Bgr24, Gray8.*one by one"):
        read_image(path)


def test_a_large_plane_has_levels_and_is_read_in_parts(tmp_path: Path) -> None:
    pixels = noise(4200, 4801, dtype="u1")
    path = written(
        tmp_path / "large.czi", lambda file: file.write(pixels[..., None], location=(3, 5))
    )
    image = read_image(path)
    assert [level.shape for level in image.levels] == [(2100, 2400), (1050, 1200), (525, 600)]
    assert image.data.chunksize == (2048, 2048)
    np.testing.assert_array_equal(
        np.asarray(image.data[4000:4100, 2000:2100]), pixels[4000:4100, 2000:2100]
    )
    coarse = np.asarray(image.levels[0])
    # libCZI takes one pixel of each 2 × 2.
    blocks = pixels[:4200, :4800].reshape(2100, 2, 2400, 2)
    assert np.all((coarse >= blocks.min((1, 3))) & (coarse <= blocks.max((1, 3))))


def test_an_array_can_be_sent_to_another_process(shared_data: Path) -> None:
    image = read_image(shared_data / "reader_files" / "neubias_two_scenes.czi")
    again = pickle.loads(pickle.dumps(image.data))
    np.testing.assert_array_equal(np.asarray(again), np.asarray(image.data))


@pytest.mark.parametrize("file", ["aics_single_plane.czi", "neubias_two_scenes.czi"])
@pytest.mark.parametrize("share", [1e-4, 5e-4, 0.001, 0.005, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.995])
def test_a_czi_that_was_cut_off(shared_data: Path, tmp_path: Path, file: str, share: float) -> None:
    whole = (shared_data / "reader_files" / file).read_bytes()
    path = tmp_path / "cut.czi"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(OSError, match=r"cut\.czi' \(\d+ bytes\) is cut off or damaged: .*again"):
        read_image(path)


@pytest.mark.parametrize("place", [84, 92, 544 + 32, 544 + 160 + 6])
def test_a_czi_with_a_damaged_table_of_contents(
    shared_data: Path, tmp_path: Path, place: int
) -> None:
    content = bytearray((shared_data / "reader_files" / "aics_single_plane.czi").read_bytes())
    content[place : place + 4] = b"\xff\xff\xff\x7f"
    path = tmp_path / "damaged.czi"
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"is cut off or damaged"):
        np.asarray(read_image(path).data)


def test_another_file_with_the_name_of_a_czi(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "renamed.czi"
    tiff = shared_data / "reader_files" / "aics_single_plane.tiff"
    path.write_bytes(tiff.read_bytes())
    assert read_image(path).shape == (325, 475)  # what it is counts, not what it is called
    path.write_text("PK not a microscope file")
    with pytest.raises(ValueError, match=r"begins with b'PK not a .*renaming a file"):
        read_image(path)


def test_names_come_from_wherever_the_file_has_them() -> None:
    xml = """<ImageDocument><Metadata>
    <Information><Image><Dimensions>
    <Channels><Channel Name="Bright"/><Channel/><Channel/></Channels>
    <S><Scenes><Scene Index="0" Name="P1"/><Scene Index="1"/></Scenes></S></Dimensions></Image>
    </Information>
    <DisplaySetting><Channels>
    <Channel Name="x"/><Channel><DyeName>EGFP</DyeName></Channel><Channel/>
    </Channels></DisplaySetting>
    <Scaling><Items><Distance Id="X"><Value>1e-7</Value></Distance>
    <Distance Id="Z"><Value/></Distance></Items></Scaling></Metadata></ImageDocument>"""
    found = parse_czi(xml)
    assert found.channel_names == ("Bright", "EGFP", "")
    assert found.scene_names == {0: "P1"}
    assert calibrate(found.lengths, planes=True).voxel_size == pytest.approx((1.0, 0.1, 0.1))
    assert parse_czi("<broken") == parse_czi("")
    assert parse_czi("").lengths == {}
