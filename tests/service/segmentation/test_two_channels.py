"""Cells in one channel with their nuclei in another: read alike by prediction and training."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch
from click.testing import CliRunner

import napari_ssp as ssp
from napari_ssp.cli import main
from napari_ssp.engine import normalise
from napari_ssp.progress import run
from napari_ssp.service import TrainRequest, as_command, plan_segmentation
from napari_ssp.service.model_cache import ModelCache
from napari_ssp.service.results import COVER_LITTLE, NOTHING_TO_SEE
from napari_ssp.service.segmentation import levels, steps, volume
from napari_ssp.service.training.segmentation.images import read_training_images
from napari_ssp.service.training.segmentation.pairs import scan_pairs
from napari_ssp.service.training.segmentation.plan import find_files

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def _channels() -> NDArray[np.uint16]:
    """Three channels (C, Y, X) whose ranges are far apart."""
    rng = np.random.default_rng(0)
    ranges = ((100, 900), (2000, 60_000), (5, 40))
    return np.stack([rng.integers(*r, (96, 112)) for r in ranges]).astype(np.uint16)


def _picture(*shape: int) -> NDArray[np.uint8]:
    """Two channels (2, ...) of 1 to 255: colours that share one range have the same as by itself.

    Each shows blocks, so that an untrained network sees differences.
    """
    rng = np.random.default_rng(1)
    picture = rng.integers(1, 120, (2, *shape)).astype(np.uint8)
    picture[0, ..., 6:16, 8:20] += 100
    picture[1, ..., 8:12, 11:16] += 130
    picture[..., :4, :4], picture[..., -9:, -9:] = 1, 255
    return picture


def _read(pixels: Any, model: Path, **choices: Any) -> tuple[levels.Levels, NDArray[np.float32]]:
    request = ssp.SegmentRequest(pixels, str(model), axes="cyx", device="cpu", **choices)
    plan = plan_segmentation(request)
    found = run(levels.read_levels(plan, plan.planes))
    return found, found.read(tuple(slice(0, n) for n in plan.shape))


def test_each_channel_has_its_own_range(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = _channels()
    expected = np.stack([normalise(pixels[2])[0], normalise(pixels[0])[0], np.zeros((96, 112))])
    np.testing.assert_array_equal(normalise(pixels[2], pixels[0]), expected)
    _, seen = _read(pixels, tiny_model, channel=2, nuclei=0)
    np.testing.assert_array_equal(seen, expected)
    _, part = _read(pixels, tiny_model, channel=2, nuclei=0, region=(10, 60, 3, 90))
    np.testing.assert_array_equal(part, expected[:, 10:60, 3:90])
    monkeypatch.setattr(levels, "_BAND", 112 * 16)
    _, banded = _read(pixels, tiny_model, channel=2, nuclei=0)
    np.testing.assert_array_equal(banded, expected)


def test_bands_are_counted_over_all_channels(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(levels, "_BAND", 112 * 16)
    request = ssp.SegmentRequest(_channels(), str(tiny_model), axes="cyx", nuclei=1)
    plan = plan_segmentation(request)
    told = [step.fraction for step in levels.read_levels(plan, plan.planes)]
    assert told == sorted(told)
    assert told[-1] < 1


def test_few_nuclei_are_stretched_by_region_and_the_cells_as_before(tiny_model: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.poisson(60, (2, 320, 320)).astype(np.uint16)
    pixels[0] += (np.indices((320, 320)).sum(0) // 64 % 2 * 500).astype(np.uint16)
    pixels[1, 140:160, 150:174] += rng.integers(3000, 4000, (20, 24)).astype(np.uint16)
    found, seen = _read(pixels, tiny_model, nuclei=1)
    _, whole = _read(pixels, tiny_model, nuclei=1, normalise="image")
    np.testing.assert_array_equal(seen[0], whole[0])
    assert found.is_little
    assert found.ranges[1].high > 3000 > 10 * 200 > whole[1].max()
    alone, _ = _read(pixels, tiny_model, channel=1)
    assert found.ranges[1] == alone.ranges[0]
    result = ssp.segment(pixels, str(tiny_model), axes="cyx", nuclei=1, region=(0, 64, 0, 64))
    assert any(words.startswith(COVER_LITTLE) for words in result.warnings)


@pytest.mark.parametrize(
    ("shape", "choices"),
    [
        ((50, 60), {}),
        ((66, 80), {"tile": 64}),
        ((2, 50, 60), {"stacks": "linked", "link_overlap": 0.1}),
    ],
    ids=["plane", "tiles", "linked"],
)
def test_the_network_sees_cells_and_nuclei_as_two_colours(
    finding_model: Path, shape: tuple[int, ...], choices: dict[str, Any]
) -> None:
    channels = _picture(*shape)
    axes = "zyx"[-len(shape) :]
    chosen = {"flow_threshold": 0.0, "device": "cpu", "normalise": "image", **choices}
    # In the file the nuclei come first.
    found = ssp.segment(
        channels[::-1], str(finding_model), axes=f"c{axes}", channel=1, nuclei=0, **chosen
    )
    colours = np.stack([*channels, np.zeros_like(channels[0])], axis=-1)
    expected = ssp.segment(colours, str(finding_model), axes=f"{axes}c", **chosen)
    assert expected.num_objects > 0
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.flows, expected.flows)
    np.testing.assert_array_equal(found.cell_probability, expected.cell_probability)


def _seen_in_3d(pixels: NDArray[Any], model: Path, **choices: Any) -> NDArray[np.float32]:
    request = ssp.SegmentRequest(pixels, str(model), stacks="volume", device="cpu", **choices)
    plan = plan_segmentation(request)
    setup = steps.prepare_run(request, plan, ModelCache(), torch.device("cpu"))
    return run(volume._predicted(setup, run(levels.read_levels(plan, plan.planes))))


def test_volumes_see_cells_and_nuclei_as_two_colours(finding_model: Path) -> None:
    channels = _picture(3, 20, 24)
    found = _seen_in_3d(channels, finding_model, axes="czyx", nuclei=1, normalise="image")
    colours = np.stack([*channels, np.zeros_like(channels[0])], axis=-1)
    expected = _seen_in_3d(colours, finding_model, axes="zyxc", normalise="image")
    assert np.ptp(expected[3]) > 0.1
    np.testing.assert_array_equal(found, expected)


def test_the_nuclei_make_a_difference(tiny_model: Path) -> None:
    channels = _picture(50, 60)
    model, axes = str(tiny_model), "cyx"
    both, swapped, alone = (
        ssp.segment(channels, model, axes=axes, device="cpu", channel=channel, nuclei=nuclei)
        for channel, nuclei in ((0, 1), (1, 0), (0, None))
    )
    assert (both.cell_probability != alone.cell_probability).any()
    assert (both.cell_probability != swapped.cell_probability).any()


def test_the_plan_says_which_channel_shows_what(tiny_model: Path) -> None:
    pixels = _channels()
    plan = plan_segmentation(ssp.SegmentRequest(pixels, str(tiny_model), axes="cyx", nuclei=1))
    assert plan.summary.startswith("2D cells in channel 1, nuclei in channel 2, pixel size")
    assert plan.channels == (0, 1)
    image = ssp.MicroscopyImage(pixels, "cyx", channel_names=("DNA", "actin", "lamin"))
    plan = plan_segmentation(ssp.SegmentRequest(image, str(tiny_model), channel=1, nuclei=0))
    assert plan.summary.startswith("2D cells in channel 2 (actin), nuclei in channel 1 (DNA), ")
    one = plan_segmentation(ssp.SegmentRequest(image, str(tiny_model), channel=1))
    assert plan.room[2] == 2 * one.room[2]


@pytest.mark.parametrize(
    ("shape", "choices", "words"),
    [
        ((2, 30, 40), {"nuclei": 2}, r"Channel 2 was asked for, but 'image' has 2 .* 0 to 1"),
        ((2, 30, 40), {"nuclei": 0}, "The nuclei cannot be in channel 0 .*shows the cells"),
        ((2, 30, 40), {"channel": 1, "nuclei": 1}, "The nuclei cannot be in channel 1"),
        ((30, 40, 3), {"axes": "yxc", "nuclei": 1}, "Channel 1 was asked for, but 'image' has 1"),
        ((30, 40), {"axes": "yx", "nuclei": 0}, "The nuclei cannot be in channel 0"),
        ((2, 30, 40), {"nuclei": -1}, "Nuclei must be at least 0, got -1"),
        ((2, 30, 40), {"nuclei": 1, "through": "dna"}, "cannot be used together with 'dna'"),
    ],
)
def test_nuclei_that_cannot_be_are_refused(
    tiny_model: Path, shape: tuple[int, ...], choices: dict[str, Any], words: str
) -> None:
    pixels = np.zeros(shape, np.uint8)
    with pytest.raises(ValueError, match=words):
        plan_segmentation(ssp.SegmentRequest(pixels, str(tiny_model), **{"axes": "cyx"} | choices))


def test_an_image_is_blank_where_both_channels_are(tiny_model: Path) -> None:
    pixels = np.stack([np.full((40, 50), 5), np.full((40, 50), 7)]).astype(np.uint8)
    choices: dict[str, Any] = {"axes": "cyx", "nuclei": 1, "min_size": 10_000}
    blank = ssp.segment(pixels, str(tiny_model), **choices)
    assert [words.startswith(NOTHING_TO_SEE) for words in blank.warnings] == [True]
    pixels[1, 10:20] = 90
    assert ssp.segment(pixels, str(tiny_model), **choices).warnings == ()


def test_the_command_of_a_result_gives_the_same_labels(finding_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.tif"
    tifffile.imwrite(path, _picture(50, 60), imagej=True, metadata={"axes": "CYX"})
    first = ssp.segment(
        path, str(finding_model), channel=1, nuclei=0, flow_threshold=0.0, device="cpu"
    )
    assert first.num_objects > 0
    command = as_command(first.provenance, output=tmp_path / "out")
    assert "--channel 1 " in command
    assert "--nuclei 0 " in command
    done = CliRunner().invoke(main, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    again = tifffile.imread(tmp_path / "out" / "two_label.tiff")
    np.testing.assert_array_equal(again, first.labels)


@pytest.mark.parametrize("chosen", [(0, None), (2, 0), (None, 1)])
def test_training_reads_what_prediction_reads(
    tiny_model: Path, tmp_path: Path, chosen: tuple[int | None, int | None]
) -> None:
    channel, nuclei = chosen
    pixels = _channels()
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "a_label.tif", np.eye(96, 112, dtype=np.uint16))
    words = ",".join("" if number is None else str(number) for number in chosen)
    table = tmp_path / "pairs.csv"
    table.write_text(f"image,label,channel,nuclei\na.tif,a_label.tif,{words}\n")
    request = TrainRequest((table,), tmp_path / "run")
    (tmp_path / "run").mkdir()
    files = find_files(request)
    found = run(read_training_images(files, request))
    strip = [image.pixels for store in (found.training, found.validation) for image in store]
    found.close()
    _, seen = _read(pixels, tiny_model, channel=channel, nuclei=nuclei, normalise="image")
    seen = seen[:1] if nuclei is None else seen
    for part in strip:
        assert len(part) == len(seen)
        rows, columns = part.shape[1:]
        places = [
            (slice(None), slice(y, y + rows), slice(x, x + columns))
            for y in (0, 96 - rows)
            for x in (0, 112 - columns)
        ]
        assert any(np.array_equal(np.round(seen[place] * 255), part) for place in places)


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ("0,0", "a.tif: The nuclei cannot be in channel 0"),
        (",0", "a.tif: The nuclei cannot be in channel 0"),
        (",3", "a.tif: it has 3 channels, so there is no 3"),
        (",b", "a channel is a number from 0, got 'b'"),
    ],
)
def test_a_table_with_wrong_nuclei_says_so(tmp_path: Path, channels: str, words: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", _channels(), imagej=True, metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "a_label.tif", np.eye(96, 112, dtype=np.uint16))
    table = tmp_path / "pairs.csv"
    table.write_text(f"image,label,channel,nuclei\na.tif,a_label.tif,{channels}\n")
    assert words in " ".join(scan_pairs(table).problems)
