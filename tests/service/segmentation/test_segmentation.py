from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from skimage import data

import napari_ssp as ssp
from napari_ssp.engine import (
    MEDIAR_VIEWS,
    TileSettings,
    View,
    average_networks,
    floored_gaussian_window,
    normalise,
    predict_tiles,
)
from napari_ssp.flows import flows_to_labels
from napari_ssp.io import write_image
from napari_ssp.metrics import match_counts
from napari_ssp.progress import run
from napari_ssp.service.model_cache import ModelCache
from napari_ssp.service.segmentation.steps import segment_steps

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ssp.progress import Progress
from napari_ssp.registry import find_card, load_model, save_model
from napari_ssp.registry.weights import build_network


def _dots(*shape: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 60_000, shape).astype(np.uint16)


@pytest.mark.parametrize(
    "dtype", [bool, np.uint8, np.int16, np.uint32, np.int64, np.uint64, np.float16, np.float64]
)
def test_every_number_type(tiny_model: Path, dtype: type) -> None:
    image = (data.coins()[:70, :90] > 100).astype(dtype)
    result = ssp.segment(image, str(tiny_model))
    assert result.labels.shape == result.cell_probability.shape == (70, 90)
    assert result.labels.dtype == np.uint32
    assert result.flows.shape == (2, 70, 90)
    assert result.flows.dtype == result.cell_probability.dtype == np.float32
    assert 0 <= result.cell_probability.min() <= result.cell_probability.max() <= 1


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 30)),
        np.full((20, 30), 7, np.uint8),
        np.full((1, 1), 3.0),
        np.full((1, 50), np.nan),
        np.where(np.eye(40) > 0, np.inf, -np.inf),
        -np.ones((33, 20)),
        data.coins()[:5],
        data.coins()[:, :1],
    ],
    ids=["zero", "equal", "one pixel", "nan", "infinite", "negative", "low", "narrow"],
)
def test_images_without_content_give_a_result(
    tiny_model: Path, image: np.ndarray[Any, Any]
) -> None:
    result = ssp.segment(image, str(tiny_model))
    assert result.labels.shape == image.shape
    assert np.isfinite(result.cell_probability).all()


def test_an_empty_image_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match="0"):
        ssp.segment(np.zeros((0, 10)), str(tiny_model))


def test_five_axes_need_names(tiny_model: Path) -> None:
    image = _dots(2, 1, 3, 20, 20)
    with pytest.raises(ValueError, match="axes"):
        ssp.segment(image, str(tiny_model))
    result = ssp.segment(image, str(tiny_model), axes="tczyx")
    assert result.axes == "tzyx"
    assert result.labels.shape == (2, 3, 20, 20)
    assert result.flows.shape == (2, 2, 3, 20, 20)


def test_a_plane_of_a_stack_is_what_it_is_alone(tiny_model: Path) -> None:
    stack = np.stack([data.coins()[k : k + 60, :80] for k in (0, 40, 90)])
    model = str(tiny_model)
    whole = ssp.segment(stack, model, axes="zyx", cell_threshold=0.0, flow_threshold=0)
    alone = ssp.segment(stack[1], model, cell_threshold=0.0, flow_threshold=0)
    one = ssp.segment(stack, model, axes="zyx", plane=(0, 1), cell_threshold=0, flow_threshold=0)
    np.testing.assert_array_equal(one.labels, alone.labels)
    np.testing.assert_array_equal(whole.cell_probability[1], alone.cell_probability)
    np.testing.assert_array_equal(whole.labels[1] > 0, alone.labels > 0)
    assert one.origin == (0, 1, 0, 0)
    per_plane = [set(np.unique(plane)) - {0} for plane in whole.labels]
    assert sum(map(len, per_plane)) == len(set().union(*per_plane)) == whole.num_objects


def test_channels_first_and_colours(tiny_model: Path) -> None:
    channels = _dots(2, 40, 50)
    model = str(tiny_model)
    second = ssp.segment(channels, model, axes="cyx", channel=1)
    alone = ssp.segment(channels[1], model)
    np.testing.assert_array_equal(second.cell_probability, alone.cell_probability)
    colours = data.astronaut()[:40, :50]
    assert ssp.segment(colours, model).labels.shape == (40, 50)
    alpha = np.dstack([colours, np.zeros((40, 50), np.uint8)])
    np.testing.assert_array_equal(
        ssp.segment(alpha, model).cell_probability, ssp.segment(colours, model).cell_probability
    )


def test_a_region_is_normalised_as_the_whole_plane(tiny_model: Path) -> None:
    image = data.coins()[:100, :100].copy()
    image[:, 60:] = 0  # the region alone would be stretched otherwise
    result = ssp.segment(image, str(tiny_model), region=(10, 42, 5, 69))
    assert result.labels.shape == (32, 64)
    assert result.origin == (0, 0, 10, 5)


def test_a_file_keeps_its_pixel_size(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "image.ome.tif"
    write_image(path, ssp.MicroscopyImage(_dots(30, 40), "yx", (1.0, 0.25, 0.25)))
    assert ssp.segment(path, str(tiny_model)).voxel_size == (1.0, 0.25, 0.25)
    named = ssp.segment(path, str(tiny_model), voxel_size=(1.0, 0.5, 0.5))
    assert named.voxel_size == (1.0, 0.5, 0.5)


def test_mirror_averaging_runs_three_views(tiny_model: Path) -> None:
    image = data.coins()[:64, :100]
    for tta, windows in ((False, 2), (True, 6)):
        request = ssp.SegmentRequest(image, str(tiny_model), tta=tta, overlap=0.0)
        steps = segment_steps(request, ModelCache())
        assert max(p.total for p in steps) == windows
    plain, averaged = (ssp.segment(image, str(tiny_model), tta=tta) for tta in (False, True))
    # A model without training has a direction of its own; mirroring takes most of it away.
    assert abs(averaged.flows[1].mean()) < abs(plain.flows[1].mean())


def test_provenance_names_model_versions_and_time(tiny_model: Path) -> None:
    record = ssp.segment(_dots(20, 20), str(tiny_model), min_size=7).provenance
    assert record["request"]["min_size"] == 7
    assert len(record["model"]["sha256"]) == 64
    assert record["versions"]["torch"] == torch.__version__.split("+")[0]
    assert record["seconds"] > 0


def test_an_absent_device_is_an_error(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match="cpu"):
        ssp.segment(_dots(20, 20), str(tiny_model), device="cuda:7")


def test_progress_counts_windows_and_grad_mode_survives_closing(tiny_model: Path) -> None:
    request = ssp.SegmentRequest(
        _dots(2, 100, 64), str(tiny_model), axes="zyx", batch_size=1, tta=False
    )
    steps = segment_steps(request, ModelCache())
    seen: list[Progress] = []
    for progress in steps:
        seen.append(progress)
        if progress.done == 2:
            break
    steps.close()
    assert torch.is_grad_enabled()
    assert seen[-1].stage == "plane 1 of 2"
    assert seen[-1].total == 2 * 3


def test_a_model_that_magnifies_answers_on_the_grid_of_the_image(
    tiny_model: Path, tmp_path: Path
) -> None:
    card = replace(find_card(tiny_model), zoom=1.5)
    save_model(load_model(card), card, tmp_path)
    image = data.coins()[:50, :71]
    result = ssp.segment(image, tmp_path)
    assert result.labels.shape == (50, 71)
    assert result.flows.shape == (2, 50, 71)
    assert not np.array_equal(result.flows, ssp.segment(image, str(tiny_model)).flows)


def test_networks_are_loaded_once(tiny_model: Path) -> None:
    cache = ModelCache(size=1)
    card = find_card(tiny_model)
    first = cache.get(card, torch.device("cpu"))
    assert cache.get(card, torch.device("cpu")) is first
    cache.clear()
    assert cache.get(card, torch.device("cpu")) is not first


def test_the_service_segments_and_closes(tiny_model: Path) -> None:
    with ssp.ModelService() as service:
        job = service.submit(ssp.SegmentRequest(_dots(40, 40), str(tiny_model)))
        assert job.result(timeout=60).labels.shape == (40, 40)
        with pytest.raises(TypeError, match="SegmentRequest"):
            service.submit("an image")
    with pytest.raises(RuntimeError, match="was closed"):
        service.submit(ssp.SegmentRequest(_dots(40, 40), str(tiny_model)))


def test_the_service_knows_where_it_can_compute() -> None:
    with pytest.raises(ValueError, match="moon"):
        ssp.ModelService(compute="moon")


@pytest.mark.parametrize("mode", ["base", "tta", "ensemble", "ensemble_tta"])
@pytest.mark.parametrize("tiling", [1, 2])
def test_whole_pipeline_finds_every_object_of_the_reference(
    reference: Path, mode: str, tiling: int
) -> None:
    """MEDIAR loses up to six objects here whose pixels flow sideways; we keep those too."""
    from analytic_model import AnalyticModel

    second = AnalyticModel(sigma=6.0, threshold=0.4, drift=-0.15, shift=-2)
    networks = [AnalyticModel(), *([second] if "ensemble" in mode else [])]
    views = MEDIAR_VIEWS if "tta" in mode else (View(),)
    settings = TileSettings((512, 512), 0.6, 4, "cpu", floored_gaussian_window, views)
    image = normalise(np.tile(data.coins(), (tiling, tiling)))
    output = run(predict_tiles(average_networks(networks), image, settings))
    labels = flows_to_labels(output[:2], 1 / (1 + np.exp(-output[2])))
    name = f"coins{'2x2' if tiling == 2 else ''}_analytic_{mode}_mask"
    golden = np.load(reference / "mediar_pipeline_shared.npz")[name]
    counts = match_counts(golden, labels, threshold=0.9)
    assert counts.recall >= 0.98
    assert counts.false_positives <= 6


def test_models_joined_by_a_plus_are_averaged(tiny_model: Path, tmp_path: Path) -> None:
    card = find_card(tiny_model)
    torch.manual_seed(1)
    second = save_model(build_network(card), replace(card, name="second"), tmp_path / "second")
    image, paths = _dots(70, 90), [str(tiny_model), str(second.weights.parent)]
    options: dict[str, Any] = {"precision": "float32", "tta": True}
    alone = [ssp.segment(image, path, **options) for path in paths]
    both = ssp.segment(image, "+".join(paths), **options)
    flows = np.mean([result.flows for result in alone], axis=0)
    np.testing.assert_allclose(both.flows, flows, atol=1e-5)
    assert both.provenance["model"]["name"] == "+".join(paths)
    assert both.provenance["model"]["sha256"] not in {card.sha256, second.sha256}


def test_eight_views_turn_with_the_image(tiny_model: Path) -> None:
    image = _dots(64, 96)
    options: dict[str, Any] = {"precision": "float32", "eightfold": True}
    straight = ssp.segment(image, str(tiny_model), **options)
    turned = ssp.segment(np.rot90(image), str(tiny_model), **options)
    expected = np.rot90(straight.cell_probability)
    np.testing.assert_allclose(turned.cell_probability, expected, atol=1e-4)
    flow_y, flow_x = np.rot90(straight.flows, axes=(1, 2))
    np.testing.assert_allclose(turned.flows, [-flow_x, flow_y], atol=1e-3)


@pytest.mark.parametrize("tile", [None, 64])
def test_bfloat16_is_close(tiny_model: Path, tile: int | None) -> None:
    image = data.coins()[:70, :90]
    exact, quick = (
        ssp.segment(image, str(tiny_model), precision=precision, tile=tile)
        for precision in ("float32", "bfloat16")
    )
    assert not np.array_equal(exact.flows, quick.flows)
    np.testing.assert_allclose(quick.flows, exact.flows, atol=0.05 * np.abs(exact.flows).max())
    assert quick.provenance["request"]["precision"] == "bfloat16"


def test_models_of_different_magnification_are_not_averaged(
    tiny_model: Path, tmp_path: Path
) -> None:
    card = replace(find_card(tiny_model), name="wide", zoom=2.0)
    wide = save_model(build_network(card), card, tmp_path / "wide").weights.parent
    with pytest.raises(ValueError, match="'tiny' 1, 'wide' 2"):
        ssp.segment(_dots(20, 20), f"{tiny_model}+{wide}")
