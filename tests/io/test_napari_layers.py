from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pint
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image, Labels
from npe2 import PluginManager, PluginManifest, read, write

import napari_ssp
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image, write_labels
from napari_ssp.io.napari_reader import get_reader, read_layers
from napari_ssp.io.napari_writer import write_image_layer, write_labels_layer
from napari_ssp.io.samples import MEASURED, SAMPLES, measured_image, sample_image, sample_path

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = Path(napari_ssp.__file__).parent / "napari.yaml"
PLUGIN = "napari-ssp"


@pytest.fixture(autouse=True)
def plugin() -> Iterator[None]:
    manager = PluginManager.instance()
    manager.discover()
    if PLUGIN not in manager:
        manager.register(PluginManifest.from_file(MANIFEST))
    yield


def opened(path: Path) -> list[Any]:
    return list(ViewerModel().open(str(path), plugin=PLUGIN))


def units(layer: Any) -> list[str]:
    return [str(unit) for unit in layer.units]


def test_channels_arrive_as_layers_with_scale_and_names(shared_data: Path) -> None:
    path = shared_data / "reader_files" / "brightfield_lamin_czyx.ome.tif"
    bright, lamin = opened(path)
    assert bright.name == "brightfield_lamin_czyx Bright"
    assert lamin.name == "brightfield_lamin_czyx Lamin B1"
    assert (bright.colormap.name, lamin.colormap.name) == ("gray", "green")
    assert (bright.blending, lamin.blending) == ("translucent_no_depth", "additive")
    for number, layer in enumerate((bright, lamin)):
        assert layer.data.shape == (16, 128, 128)
        assert layer.axis_labels == ("z", "y", "x")
        np.testing.assert_allclose(layer.scale, 0.29)
        assert units(layer) == ["micrometer"] * 3
        np.testing.assert_array_equal(layer.data, tifffile.imread(path)[number])


def test_a_calibrated_stack(shared_data: Path) -> None:
    (layer,) = opened(shared_data / "reader_files" / "mitotic_plate_imagej.tif")
    assert type(layer) is Image
    np.testing.assert_allclose(layer.scale, [3.0, 0.0852, 0.0852], rtol=1e-3)
    assert units(layer) == ["micrometer"] * 3


def test_an_unknown_size_stays_in_pixels(shared_data: Path) -> None:
    (layer,) = opened(shared_data / "cells" / "unlabelled" / "phase_ecoli_timelapse.tiff")
    assert layer.axis_labels == ("t", "y", "x")
    assert units(layer) == ["pixel"] * 3
    np.testing.assert_array_equal(layer.scale, 1)
    (colours,) = opened(shared_data / "cells" / "unlabelled" / "hela_rgb48.tiff")
    assert colours.rgb
    assert colours.ndim == 2


def test_every_axis_at_once(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (3, 4, 2, 9, 8)).astype("u2")
    image = MicroscopyImage(pixels, "tzcyx", (2.0, 0.5, 0.25), ("DAPI", "GFP"))
    first, second = opened(write_image(tmp_path / "all.ome.tif", image))
    assert [first.name, second.name] == ["all DAPI", "all GFP"]
    assert [first.colormap.name, second.colormap.name] == ["magenta", "green"]
    assert first.axis_labels == ("t", "z", "y", "x")
    np.testing.assert_array_equal(first.scale, [1, 2, 0.5, 0.25])
    assert units(first) == ["pixel", "micrometer", "micrometer", "micrometer"]
    np.testing.assert_array_equal(second.data, pixels[:, :, 1])


def test_narrow_grey_stacks_are_not_taken_for_colours(tmp_path: Path) -> None:
    image = MicroscopyImage(np.zeros((40, 50, 3), "u1"), "zyx")
    (layer,) = opened(write_image(tmp_path / "narrow.ome.tif", image))
    assert not layer.rgb
    assert layer.ndim == 3


@pytest.mark.parametrize("lazy", [False, True])
def test_a_pyramid_arrives_as_a_pyramid(
    tmp_path: Path, lazy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pyramid.ome.tif"
    full = np.random.default_rng(0).integers(0, 250, (2, 256, 320)).astype("u1")
    with tifffile.TiffWriter(path) as tif:
        options = {"tile": (64, 64), "compression": "zlib", "photometric": "minisblack"}
        size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        tif.write(full, subifds=1, metadata={"axes": "CYX", **size}, **options)
        tif.write(full[:, ::2, ::2], subfiletype=1, **options)
    if lazy:
        monkeypatch.setattr(napari_ssp.io.tiff.reading, "EAGER_BYTES", 0)
    layers = opened(path)
    assert len(layers) == 2
    for number, layer in enumerate(layers):
        assert layer.multiscale
        assert [level.shape for level in layer.data] == [(256, 320), (128, 160)]
        assert isinstance(layer.data[0], da.Array) == lazy
        np.testing.assert_array_equal(layer.scale, 0.5)
        np.testing.assert_array_equal(np.asarray(layer.data[1]), full[number, ::2, ::2])


def test_our_labels_arrive_as_labels(tmp_path: Path, shared_data: Path) -> None:
    labels = np.arange(12).reshape(3, 4)
    size = (1.0, 0.5, 0.5)
    (layer,) = opened(write_labels(tmp_path / "anything.tif", labels, voxel_size=size))
    assert type(layer) is Labels
    assert layer.name == "anything"
    np.testing.assert_array_equal(layer.data, labels)
    np.testing.assert_array_equal(layer.scale, 0.5)
    (real,) = opened(shared_data / "cells/labelled/labels/t98g_phase_01_label.tiff")
    assert type(real) is Labels
    assert len(np.unique(real.data)) == 67


def test_several_files_are_read_one_by_one(tmp_path: Path) -> None:
    paths = [
        str(write_image(tmp_path / f"{n}.tif", MicroscopyImage(np.full((3, 4), n), "yx")))
        for n in (1, 2)
    ]
    reader = get_reader(paths)
    assert reader is not None
    assert [(data[0, 0], attributes["name"]) for data, attributes, _ in reader(paths)] == [
        (1, "1"),
        (2, "2"),
    ]
    assert len(read(paths, stack=True, plugin_name=PLUGIN)) == 2


@pytest.mark.parametrize(
    "path", ["a.png", "folder", "a.zarr", ["a.tif", "a.png"], ["a.czi", "a.png"], []]
)
def test_other_files_are_left_to_others(path: Any) -> None:
    assert get_reader(path) is None


def test_a_bad_file_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "text.tif"
    path.write_text("hello")
    with pytest.raises(ValueError, match="renaming a file does not convert it"):
        opened(path)


def test_the_scenes_of_a_czi_are_layers(shared_data: Path) -> None:
    pytest.importorskip("pylibCZIrw")
    first, second = opened(shared_data / "reader_files" / "neubias_two_scenes.czi")
    assert [first.name, second.name] == ["neubias_two_scenes 0", "neubias_two_scenes 1"]
    for layer in (first, second):
        assert isinstance(layer.data, da.Array)
        assert (layer.data.shape, layer.axis_labels) == ((2, 251, 251), ("z", "y", "x"))
        np.testing.assert_allclose(layer.scale, [0.3, 0.195644376, 0.195644376])
        assert units(layer) == ["micrometer"] * 3


@pytest.mark.parametrize("version", ["v04", "v05"])
def test_an_ome_zarr_arrives_as_its_tiff_does(shared_data: Path, version: str) -> None:
    folder = shared_data / "reader_files"
    layers = opened(folder / f"brightfield_lamin_{version}.ome.zarr")
    for layer, twin in zip(layers, opened(folder / "brightfield_lamin_czyx.ome.tif"), strict=True):
        assert layer.multiscale
        assert isinstance(layer.data[0], da.Array)
        assert layer.name == twin.name.replace("czyx", version)
        assert (layer.colormap.name, layer.blending) == (twin.colormap.name, twin.blending)
        assert (layer.axis_labels, units(layer)) == (twin.axis_labels, units(twin))
        np.testing.assert_array_equal(layer.scale, twin.scale)
        np.testing.assert_array_equal(np.asarray(layer.data[0]), twin.data)


def test_images_and_labels_of_an_ome_zarr(tmp_path: Path) -> None:
    labels = np.arange(20 * 30).reshape(20, 30)
    path = tmp_path / "cells.ome.zarr"
    image = MicroscopyImage(labels.astype("u2"), "yx", (1.0, 0.5, 0.5), name="cells")
    write_image(path, image)
    write_labels(path / "labels" / "nuclei", labels, voxel_size=(1.0, 0.5, 0.5))
    layer, nuclei = opened(path)
    assert [type(layer), type(nuclei)] == [Image, Labels]
    assert [layer.name, nuclei.name] == ["cells", "cells nuclei"]
    np.testing.assert_array_equal(nuclei.scale, 0.5)
    np.testing.assert_array_equal(np.asarray(nuclei.data), labels)


def test_folders_are_offered_but_only_a_zarr_is_taken(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert get_reader(str(tmp_path / "photos")) is None
    (tmp_path / "photos" / "zarr.json").touch()
    assert get_reader(str(tmp_path / "photos")) is not None


@pytest.mark.parametrize("name", ["a.zarr", "a.ome.zarr"])
def test_layers_are_saved_as_ome_zarr(tmp_path: Path, name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (3, 20, 30))
    options = {"scale": (2, 0.5, 0.25), "units": "µm", "axis_labels": ("z", "y", "x")}
    for layer in (Image(pixels.astype("f4"), **options), Labels(pixels, **options)):
        viewer = ViewerModel()
        viewer.add_layer(layer)
        # napari asks before it saves over something, so the second replaces the first.
        (written,) = viewer.layers.save(str(tmp_path / name), plugin=PLUGIN)
        assert written == str(tmp_path / name)
        (again,) = opened(Path(written))
        assert type(again) is type(layer)
        np.testing.assert_array_equal(np.asarray(again.data), pixels)
        np.testing.assert_array_equal(again.scale, (2, 0.5, 0.25))
        assert units(again) == ["micrometer"] * 3
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("ending", [".ome.tif", ".ome.zarr"])
@pytest.mark.parametrize("name", ["cells", "A01.tif labels", "v1.2"])
def test_a_name_without_an_ending_gets_that_of_the_chosen_type(
    tmp_path: Path, name: str, ending: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (20, 30))
    for layer in (Image(pixels.astype("f4")), Labels(pixels)):
        folder = tmp_path / type(layer).__name__
        folder.mkdir()
        kind = layer._type_string
        (writer,) = (
            found
            for found in PluginManager.instance().iter_compatible_writers([kind])
            if found.command.startswith(PLUGIN) and ending in found.filename_extensions
        )
        viewer = ViewerModel()
        viewer.add_layer(layer)
        # As napari's dialog, which proposes the layer's name.
        (written,) = viewer.layers.save(str(folder / name), _writer=writer)
        assert [path.name for path in folder.iterdir()] == [name + ending]
        (again,) = opened(Path(written))
        np.testing.assert_array_equal(np.asarray(again.data), pixels)
        # About the name with its ending nobody was asked.
        with pytest.raises(FileExistsError, match="exists"):
            viewer.layers.save(str(folder / name), _writer=writer)


@pytest.mark.parametrize(
    ("scale", "unit", "expected"),
    [
        ((2, 0.5, 0.25), "µm", (2, 0.5, 0.25)),
        ((2000, 500, 250), "nm", (2, 0.5, 0.25)),
        ((2e-3, 5e-4, 25e-5), (pint.Unit("mm"),) * 3, (2, 0.5, 0.25)),
        ((0.002, 0.5, 0.25), ("mm", "µm", "µm"), (2, 0.5, 0.25)),
        ((2, 0.5, 0.25), ("pixel", "µm", "µm"), (1, 0.5, 0.25)),
        ((2, 0.5, 0.25), "pixel", None),
        ((2, 0.5, 0.25), ("µm", "pixel", "pixel"), None),
        ((2, 0.5, 0.25), "second", None),
    ],
)
def test_layers_are_saved_with_their_size(
    tmp_path: Path, scale: Any, unit: Any, expected: tuple[float, ...] | None
) -> None:
    pixels = np.arange(24).reshape(2, 3, 4)
    for layer in (Image(pixels.astype("u2")), Labels(pixels)):
        layer.scale, layer.units = scale, unit
        path = str(tmp_path / f"{type(layer).__name__}.ome.tif")
        assert write(path, [layer.as_layer_data_tuple()], plugin_name=PLUGIN) == [path]
        image = read_image(path)
        assert image.axes == "zyx"
        assert image.voxel_size == (None if expected is None else pytest.approx(expected))
        np.testing.assert_array_equal(image.data, pixels)


def test_layers_of_every_kind_survive_saving(tmp_path: Path) -> None:
    path = str(tmp_path / "a.tif")
    colours = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype("u1")
    for layer in (
        Image(colours, rgb=True),
        Image(colours[..., 0].astype(float)),
        Image(colours[None, None, :5, :, 0], axis_labels=("t", "c", "y", "x")),
        Image(colours[:, :, 0] > 100),
        Labels(colours[..., 0].astype("i8")),
        Image([colours[..., 0], colours[::2, ::2, 0]], multiscale=True),
    ):
        viewer = ViewerModel()
        viewer.add_layer(layer)
        (written,) = viewer.layers.save(path, plugin=PLUGIN)
        (again,) = opened(Path(written))
        assert type(again) is type(layer)
        data = layer.data[0] if layer.multiscale else layer.data
        np.testing.assert_array_equal(again.data, np.squeeze(data))


def test_axes_nobody_named_are_refused(tmp_path: Path) -> None:
    five = np.zeros((2, 2, 2, 3, 4), "u1")
    for write_layer in (write_image_layer, write_labels_layer):
        with pytest.raises(ValueError, match=r"5 dimensions.*layer\.axis_labels"):
            write_layer(str(tmp_path / "a.tif"), five, {"axis_labels": ("axis -5",) * 5})
    names = ("t", "c", "z", "y", "x")
    write_image_layer(str(tmp_path / "a.tif"), five, {"axis_labels": names})
    assert read_image(tmp_path / "a.tif").axes == "tczyx"
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_samples_open() -> None:
    manager = PluginManager.instance()
    contributed = {
        c.key: c for name, found in manager.iter_sample_data() if name == PLUGIN for c in found
    }
    assert set(contributed) == set(SAMPLES)
    layers = {key: sample.open() for key, sample in contributed.items()}
    assert {key: len(found) for key, found in layers.items()} == {
        "fluorescent_nuclei": 1,
        "stained_nuclei": 1,
        "phase_contrast_cells": 1,
        "cell_painting": 3,
        "transmitted_light_neurons": 3,
    }
    viewer = ViewerModel()
    viewer.open_sample(PLUGIN, "cell_painting")
    assert [layer.colormap.name for layer in viewer.layers] == ["blue", "green", "red"]


def test_samples_are_small_and_as_described() -> None:
    described = {key: (sample_image(key).shape, sample_image(key).voxel_size) for key in SAMPLES}
    assert described == {
        "fluorescent_nuclei": ((520, 696), None),
        "stained_nuclei": ((256, 320, 3), None),
        "phase_contrast_cells": ((1022, 1024), None),
        "cell_painting": ((3, 395, 695), None),
        "transmitted_light_neurons": ((13, 384, 384), None),
    }
    folder = sample_path("cell_painting").parent
    assert sum(file.stat().st_size for file in folder.iterdir()) < 4_500_000
    notice = (folder / "NOTICE.md").read_text(encoding="utf-8")
    assert all(f"`{file}`" in notice for file in [*SAMPLES.values(), *MEASURED.values()])
    with pytest.raises(ValueError, match=r"no sample 'x'. Choose one of fluorescent_nuclei"):
        sample_path("x")
    with pytest.raises(ValueError, match=r"no measured .* 'cell_painting'. Choose one of trans"):
        measured_image("cell_painting")


def test_transmitted_light_lies_under_its_measured_fluorescence(shared_data: Path) -> None:
    viewer = ViewerModel()
    stack, dna, neurites = viewer.open_sample(PLUGIN, "transmitted_light_neurons")
    assert [layer.name for layer in viewer.layers] == [
        "neurons_phase_contrast",
        "neurons_measured DAPI",
        "neurons_measured MAP2",
    ]
    assert (stack.data.shape, stack.data.dtype) == ((13, 384, 384), np.uint8)
    assert stack.colormap.name == "gray"
    for layer, colour in ((dna, "blue"), (neurites, "green")):
        assert (layer.data.shape, layer.data.dtype) == ((384, 384), np.uint16)
        assert (layer.colormap.name, layer.blending) == (colour, "additive")
        np.testing.assert_array_equal(layer.extent.world, stack.extent.world[:, 1:])
    field = shared_data / "transmitted_light" / "stack_to_2d" / "neurons_phase_q10"
    for name, layer in (("signal", stack), ("target_DAPI", dna), ("target_MAP2", neurites)):
        whole = tifffile.imread(f"{field}_{name}.tif")
        np.testing.assert_array_equal(layer.data, whole[..., 128:, :384])


def test_reading_layers_needs_no_napari_names() -> None:
    assert read_layers(str(sample_path("cell_painting")))[0][2] == "image"
