from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import save_file

import napari_ssp as ssp
from napari_ssp.metrics import structure_metrics
from napari_ssp.networks import RepMode
from napari_ssp.progress import Progress, run
from napari_ssp.registry import ModelCard, load_model
from napari_ssp.registry.weights import file_sha256
from napari_ssp.service import (
    GatesRequest,
    ModelService,
    PredictRequest,
    plan_prediction,
)
from napari_ssp.service.model_cache import ModelCache
from napari_ssp.service.structures.steps import predict_steps

if TYPE_CHECKING:
    from pathlib import Path


TASKS = ("dna", "lamin_b1", "nucleoli")


def _stack(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 60_000, shape).astype(np.uint16)


def _predict(stack: Any, model: Path, **options: Any) -> Any:
    request = PredictRequest(stack, **{"tasks": ("dna",), "model": str(model), **options})
    return run(predict_steps(request, ModelCache()))


@pytest.fixture(scope="module")
def golden_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model with the weights of the goldens, in float32."""
    from seeded_weights import seeded_state_dict

    network = RepMode(12, 4)
    folder = tmp_path_factory.mktemp("golden")
    save_file(seeded_state_dict(network, 0), folder / "weights.safetensors")
    card = ModelCard(
        "golden",
        "repmode",
        {"num_tasks": 12, "base_channels": 4},
        file_sha256(folder / "weights.safetensors"),
        axes="zyx",
        window=(16, 32, 32),
        tasks=tuple(f"task{k}" for k in range(12)),
    )
    card.write(folder)
    return folder


def test_equals_repmode(golden_model: Path, reference: Path) -> None:
    golden = np.load(reference / "repmode_predict_shared.npz")
    found = _predict(golden["exact_raw"], golden_model, tasks=("task0",), device="cpu")
    expected = golden["exact_pred"]
    assert np.abs(found.images["task0"] - expected).max() < 1e-4 * expected.std()


def test_equals_repmode_where_patches_overlap(golden_model: Path, reference: Path) -> None:
    """The scores of the original's prediction, too, are those that the original gave it."""
    raw = tifffile.imread(reference / "repmode_predict_small_raw.tif")
    found = _predict(raw, golden_model, tasks=("task5",), device="cpu").images["task5"]
    expected = np.load(reference / "repmode_predict_shared.npz")["small_pred_every3"]
    assert np.abs(found[::3, ::3, ::3] - expected).max() < 1e-4 * expected.std()
    facts = json.loads((reference / "repmode_predict_shared.json").read_text())
    scores = structure_metrics(((raw - raw.mean()) / raw.std()).astype(np.float32), found)
    for name, value in facts["metrics_pred_vs_zscored_input"].items():
        assert scores[name.lower()] == pytest.approx(value, abs=1e-6)


def test_equals_repmode_with_its_own_patches(golden_model: Path, reference: Path) -> None:
    golden = np.load(reference / "repmode_predict_shared.npz")
    raw = tifffile.imread(reference / "repmode_predict_default_raw.tif")
    card = replace(ModelCard.read(golden_model), window=(32, 128, 128))
    card.write(golden_model)
    try:
        found = _predict(raw, golden_model, tasks=("task11",), device="cpu")
    finally:
        replace(card, window=(16, 32, 32)).write(golden_model)
    expected = golden["default_pred_every4"]
    difference = np.abs(found.images["task11"][::4, ::4, ::4] - expected).max()
    assert difference < 1e-4 * expected.std()


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 5, 7), (3, 40, 21), (16, 32, 32), (17, 33, 90), (40, 8, 8), (2, 1, 64)]
)
def test_any_stack_keeps_its_grid(tiny_structures: Path, shape: tuple[int, ...]) -> None:
    stack = _stack(*shape)
    if stack.size == 1:  # a single voxel is constant
        with pytest.raises(ValueError, match="nothing to predict from"):
            _predict(stack, tiny_structures, axes="zyx")
        return
    found = _predict(stack, tiny_structures, axes="zyx")
    assert found.images["dna"].shape == shape
    assert found.images["dna"].dtype == np.float32
    assert np.isfinite(found.images["dna"]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64, np.float16, np.float64, bool])
def test_every_number_type(tiny_structures: Path, dtype: type) -> None:
    stack = (np.arange(5 * 20 * 30).reshape(5, 20, 30) % 7 > 2).astype(dtype)
    found = _predict(stack, tiny_structures, axes="zyx")
    expected = _predict(stack.astype(np.float32), tiny_structures, axes="zyx")
    np.testing.assert_allclose(found.images["dna"], expected.images["dna"], atol=1e-5)


def test_several_structures_in_one_pass_equal_one_by_one(tiny_structures: Path) -> None:
    stack = _stack(18, 40, 50)
    together = ssp.predict_structures(stack, TASKS, str(tiny_structures), axes="zyx")
    assert list(together) == list(TASKS)
    for task in TASKS:
        alone = ssp.predict_structures(stack, [task], str(tiny_structures), axes="zyx")
        np.testing.assert_allclose(together[task], alone[task], atol=1e-6)
    assert not np.allclose(together["dna"], together["lamin_b1"])


def test_another_voxel_size_is_resampled_and_comes_back(tiny_structures: Path) -> None:
    z, y, x = np.mgrid[:20, :60, :70]
    stack = np.sin(z / 3) + np.cos(y / 8) + np.sin(x / 9)
    plain = _predict(stack, tiny_structures, axes="zyx", voxel_size=(0.29, 0.29, 0.29))
    # The same object, twice as many voxels along y and x.
    fine = np.sin(z[:, :1, :1] / 3) + np.zeros((20, 119, 139))
    fine += np.cos(np.arange(119)[:, None] / 16) + np.sin(np.arange(139) / 18)
    found = _predict(fine, tiny_structures, axes="zyx", voxel_size=(0.29, 0.145, 0.145))
    assert found.images["dna"].shape == fine.shape
    expected = plain.images["dna"]
    error = np.sqrt(np.mean((found.images["dna"][:, ::2, ::2] - expected) ** 2))
    # The mean and deviation of the finer samples are not quite those of the coarser ones.
    assert error < 0.01 * expected.std()


def test_a_part_is_the_part_of_the_stack_and_says_where(tiny_structures: Path) -> None:
    stack = _stack(20, 64, 80)
    image = ssp.MicroscopyImage(stack, "zyx", (0.29, 0.29, 0.29))
    part = _predict(image, tiny_structures, z_range=(2, 18), region=(10, 42, 30, 62))
    assert part.images["dna"].shape == (16, 32, 32)
    assert part.origin == (0, 2, 10, 30)
    # Normalised by the whole stack, not by the part.
    network = load_model(str(tiny_structures)).merge(0)  # type: ignore[operator]
    normal = (stack - stack.mean()) / stack.std()
    window = torch.from_numpy(normal[2:18, 10:42, 30:62].astype(np.float32))[None, None]
    with torch.inference_mode():
        expected = network(window)[0, 0].numpy()
    np.testing.assert_allclose(part.images["dna"], expected, atol=1e-4)


def test_time_and_channel_are_chosen(tiny_structures: Path) -> None:
    data = _stack(2, 3, 17, 20, 24)
    image = ssp.MicroscopyImage(data, "tczyx")
    found = _predict(image, tiny_structures, time=1, channel=2)
    expected = _predict(data[1, 2], tiny_structures, axes="zyx")
    np.testing.assert_array_equal(found.images["dna"], expected.images["dna"])
    assert found.origin == (1, 0, 0, 0)


def test_measured_units_are_those_of_the_card(tiny_structures: Path) -> None:
    stack = _stack(16, 20, 24)
    plain = _predict(stack, tiny_structures, axes="zyx")
    found = _predict(stack, tiny_structures, axes="zyx", measured_units=True)
    np.testing.assert_allclose(found.images["dna"], 30 * plain.images["dna"] + 120, rtol=1e-5)


def test_spread_of_views_is_their_standard_deviation(tiny_structures: Path) -> None:
    stack = _stack(16, 32, 32)
    options: dict[str, Any] = {"axes": "zyx", "tasks": ("dna", "nucleoli")}
    found = _predict(stack, tiny_structures, spread=True, **options)
    views = []
    for axes in ((), (1,), (2,), (1, 2)):
        mirrored = _predict(np.flip(stack, axes), tiny_structures, **options).images["nucleoli"]
        views.append(np.flip(mirrored, axes))
    np.testing.assert_array_equal(found.images["nucleoli"], views[0])
    # One window: the views of the stack are those of the window.
    np.testing.assert_allclose(found.spread["nucleoli"], np.std(views, 0), atol=1e-5)
    assert list(found.spread) == ["dna", "nucleoli"]
    units = _predict(stack, tiny_structures, spread=True, measured_units=True, **options)
    np.testing.assert_allclose(units.spread["dna"], 30 * found.spread["dna"], rtol=1e-4)
    assert _predict(stack, tiny_structures, **options).spread == {}


def test_bfloat16_is_close(tiny_structures: Path) -> None:
    stack = _stack(16, 32, 32)
    exact = _predict(stack, tiny_structures, axes="zyx").images["dna"]
    reduced = _predict(stack, tiny_structures, axes="zyx", precision="bfloat16").images["dna"]
    error = np.sqrt(np.mean((reduced - exact) ** 2)) / exact.std()
    assert 0 < error < 0.015


def test_a_large_result_is_a_map_with_the_same_values(
    tiny_structures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = _stack(20, 70, 60)
    options: dict[str, Any] = {"axes": "zyx", "voxel_size": (0.29, 0.2, 0.2), "tasks": TASKS[:2]}
    expected = _predict(stack, tiny_structures, **options)
    monkeypatch.setattr("napari_ssp.engine.store.MEMORY_LIMIT", 0)
    found = _predict(stack, tiny_structures, **options)
    for task, image in found.images.items():
        assert isinstance(image, np.memmap)
        np.testing.assert_array_equal(image, expected.images[task])


@pytest.mark.parametrize("region", [None, (10, 55, 3, 40)])
def test_a_stack_that_is_read_in_bands_is_the_same(
    tiny_structures: Path, monkeypatch: pytest.MonkeyPatch, region: tuple[int, ...] | None
) -> None:
    stack = _stack(5, 70, 41)
    options: dict[str, Any] = {"axes": "zyx", "region": region, "z_range": (1, 5)}
    expected = _predict(stack, tiny_structures, **options).images["dna"]
    monkeypatch.setattr("napari_ssp.service.structures.steps._BAND", 41 * 16)
    found = _predict(stack, tiny_structures, **options).images["dna"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_provenance_is_json_and_names_the_weights(tiny_structures: Path) -> None:
    found = _predict(_stack(3, 20, 24), tiny_structures, axes="zyx")
    record = json.loads(json.dumps(found.provenance))
    assert record["request"]["tasks"] == ["dna"]
    assert record["model"]["sha256"] == ModelCard.read(tiny_structures).sha256
    assert record["seconds"] > 0


def test_cancel_stops_between_patches(tiny_structures: Path) -> None:
    request = PredictRequest(_stack(40, 64, 64), ("dna",), str(tiny_structures), axes="zyx")
    steps = predict_steps(request, ModelCache())
    seen: list[Progress] = []
    for step in steps:
        seen.append(step)
        if step.stage == "patches" and step.done == 2:
            break
    steps.close()
    assert seen[-1].total > 2
    assert not torch.is_inference_mode_enabled()


def test_a_merged_network_is_kept_by_task_and_number_format(tiny_structures: Path) -> None:
    models, card = ModelCache(), ModelCard.read(tiny_structures)
    cpu = torch.device("cpu")
    first = models.merged(card, 0, cpu, torch.float32, 16)
    assert models.merged(card, 0, cpu, torch.float32, 16) is first
    assert models.merged(card, 1, cpu, torch.float32, 16) is not first
    assert models.merged(card, 0, cpu, torch.bfloat16, 16) is not first
    assert models.merged(card, 0, cpu, torch.float32, 32) is not first
    reduced = models.merged(card, 0, cpu, torch.bfloat16, 16)
    assert models.merged(card, 0, cpu, torch.bfloat16, 32) is reduced
    assert models.merged(card, 0, cpu, torch.float32, 16) is first
    models.clear()
    assert models.merged(card, 0, cpu, torch.float32, 16) is not first


def test_merged_networks_are_given_up_by_their_size(tiny_structures: Path) -> None:
    models, card = ModelCache(merged_bytes=1), ModelCard.read(tiny_structures)
    cpu = torch.device("cpu")
    first = models.merged(card, 0, cpu, torch.float32, 16)
    models.merged(card, 1, cpu, torch.float32, 16)
    assert models.merged(card, 0, cpu, torch.float32, 16) is not first


def test_gates_sum_to_one_in_every_block(tiny_structures: Path) -> None:
    with ModelService() as service:
        gates = service.submit(GatesRequest(str(tiny_structures), "lamin_b1")).result(60)
    assert list(gates) == [
        *(f"encoder {k}" for k in (1, 2, 3, 4)),
        "bottleneck",
        *(f"decoder {k}" for k in (4, 3, 2, 1)),
        "output",
    ]
    for values in gates.values():
        assert values.shape[0] == 5
        np.testing.assert_allclose(values.sum(axis=0), 1, atol=1e-6)


def test_a_file_is_predicted_as_the_array_in_it(tiny_structures: Path, tmp_path: Path) -> None:
    stack = _stack(5, 20, 30)
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata={"axes": "ZYX"}, ome=True)
    found = ssp.predict_structures(tmp_path / "a.ome.tif", ["dna"], str(tiny_structures))
    expected = ssp.predict_structures(stack, ["dna"], str(tiny_structures), axes="zyx")
    np.testing.assert_array_equal(found["dna"], expected["dna"])


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (ssp.MicroscopyImage(np.ones((9, 9)), "yx"), {}, "no z"),
        (ssp.MicroscopyImage(np.ones((9, 9, 3), np.uint8), "yxc", rgb=True), {}, "colour"),
        (np.ones((3, 9, 9)), {"tasks": ()}, "Choose at least one structure of: dna"),
        (np.ones((3, 9, 9)), {"tasks": ("dns",)}, "Did you mean dna"),
        (np.ones((3, 9, 9)), {"model": "mediar-starter"}, "segments cells"),
        (np.ones((3, 9, 9)), {"voxel_size": (0.29, 0.0, 0.29)}, "voxel size"),
        (np.ones((3, 9, 9)), {"voxel_size": (0.29, -1.0, 0.29)}, "voxel size"),
        (np.ones((3, 9, 9)), {"channel": 1}, "Channel 1"),
        (np.ones((3, 9, 9)), {"time": 2}, "Time point 2"),
        (np.ones((3, 9, 9)), {"z_range": (5, 9)}, "planes"),
        (np.ones((3, 9, 9)), {"region": (20, 30, 0, 5)}, "does not meet"),
        (np.ones((3, 9, 9)), {"precision": "float8"}, "float8"),
    ],
)
def test_what_cannot_be_predicted_is_said_before_work(
    tiny_structures: Path, image: Any, options: dict[str, Any], message: str
) -> None:
    values: dict[str, Any] = {"tasks": ("dna",), "model": str(tiny_structures), **options}
    if isinstance(image, np.ndarray):
        values["axes"] = "zyx"
    with pytest.raises(ValueError, match=message):
        plan_prediction(PredictRequest(image, **values))


def test_a_checkpoint_with_other_tasks_is_refused(tiny_structures: Path, tmp_path: Path) -> None:
    card = ModelCard.read(tiny_structures)
    (tmp_path / "weights.safetensors").write_bytes(card.weights.read_bytes())
    replace(card, network={"num_tasks": 5, "base_channels": 2}).write(tmp_path)
    with pytest.raises(ValueError, match="does not hold the weights of 'tiny-structures'"):
        _predict(_stack(3, 20, 20), tmp_path, axes="zyx")


def test_the_plan_says_what_it_takes_for_granted(tiny_structures: Path) -> None:
    def plan(size: tuple[float, float, float] | None) -> Any:
        image = ssp.MicroscopyImage(_stack(20, 64, 80), "zyx", size)
        return plan_prediction(PredictRequest(image, ("dna", "nucleoli"), str(tiny_structures)))

    unknown = plan(None)
    assert "unknown" in unknown.warnings[0]
    assert "0.29 × 0.29 × 0.29 µm" in unknown.warnings[0]
    assert "2 structures" in unknown.summary
    resampled = plan((0.29, 0.145, 0.145))
    assert resampled.warnings == ()
    assert resampled.network_shape == (20, 32, 40)
    assert "seen as 20 × 32 × 40" in resampled.summary
    assert "far from" in plan((3.0, 0.08, 0.08)).warnings[0]
    assert plan((0.291, 0.29, 0.288)).network_shape == (20, 64, 80)


def test_an_unusual_order_of_axes_is_pointed_out(tiny_structures: Path) -> None:
    image = ssp.MicroscopyImage(_stack(90, 80, 12), "zyx", (0.29, 0.29, 0.29))
    plan = plan_prediction(PredictRequest(image, ("dna",), str(tiny_structures)))
    assert "another order" in plan.warnings[0]
