from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_ssp.engine import TileSettings
from napari_ssp.networks import RepMode
from napari_ssp.progress import run as drive
from napari_ssp.training.data import ScoredArray, StructurePair
from napari_ssp.training.loop import LoopSettings, TrainingRun, fit
from napari_ssp.training.losses import PROJECTIONS, structure_loss
from napari_ssp.training.structures.crops import StructureAugmentation, random_crop
from napari_ssp.training.structures.recipe import (
    RECIPES,
    StructureBatches,
    choose_crop,
    predict_whole,
    score_structures,
)

if TYPE_CHECKING:
    from pathlib import Path

SMALL = (16, 32, 32)
PLAIN = StructureAugmentation(crop=SMALL)


def _volume(shape: tuple[int, ...] = (20, 40, 48), seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 200, shape).astype(np.uint8)


def _pair(signal: Any, target: Any, task: int = 0) -> StructurePair:
    return StructurePair("x", ScoredArray.of(signal), ScoredArray.of(target), task)


def test_scored_values_have_mean_0_and_deviation_1_whatever_part_is_read() -> None:
    volume = _volume()
    scored = ScoredArray.of(volume)
    expected = (volume.astype(np.float64) - volume.mean()) / volume.std()
    np.testing.assert_allclose(scored.read(np.s_[3:9, :, 5:]), expected[3:9, :, 5:], atol=1e-6)
    assert scored.read(np.s_[:, :, :]).dtype == np.float32


@pytest.mark.parametrize("bad", [np.full((4, 5, 6), 7), np.full((4, 5, 6), np.nan)])
def test_nothing_is_learned_from_constant_or_missing_values(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"value|NaN"):
        ScoredArray.of(bad)


@pytest.mark.parametrize("recipe", list(RECIPES))
@pytest.mark.parametrize("shape", [(20, 40, 48), (13, 40, 48), (3, 9, 100), (1, 1, 1)])
def test_crops_have_the_asked_size_and_count_only_the_image(
    recipe: str, shape: tuple[int, int, int]
) -> None:
    settings = replace(RECIPES[recipe].augmentation, crop=SMALL)
    pixels = _volume((30, 110, 110))[: shape[0], : shape[1], : shape[2]]
    scored = ScoredArray(pixels.__getitem__, shape)
    pair = StructurePair("x", scored, scored, 0)
    for seed in range(8):
        signal, target, counted = random_crop(pair, settings, np.random.default_rng(seed))
        assert signal.shape == target.shape == counted.shape == SMALL
        assert np.isfinite(signal).all()
        assert np.isfinite(target).all()
        assert counted.any() or shape == (1, 1, 1)
        if all(n >= m for n, m in zip(shape, SMALL, strict=True)) and recipe == "repmode":
            assert counted.all()


def test_flips_and_turns_keep_signal_and_target_together() -> None:
    volume = _volume()
    settings = replace(PLAIN, quarter_turns=True, warp_probability=0.5, zoom_spread=1.3, degrees=40)
    pair = _pair(volume, volume)
    seen = set()
    for seed in range(20):
        crop = random_crop(pair, settings, np.random.default_rng(seed))
        np.testing.assert_array_equal(crop.signal, crop.target)
        seen.add(crop.signal.tobytes())
    assert len(seen) == 20


def test_flips_of_repmode_reach_all_eight_orientations() -> None:
    pair = _pair(_volume(SMALL), _volume(SMALL))
    rng = np.random.default_rng(0)
    corners = {random_crop(pair, PLAIN, rng).signal[0, 0, 0] for _ in range(100)}
    whole = pair.signal.read(np.s_[:, :, :])
    assert corners == {whole[z, y, x] for z in (0, -1) for y in (0, -1) for x in (0, -1)}


def test_thin_stacks_are_mirrored_and_the_mirror_images_do_not_count() -> None:
    volume = _volume((13, 32, 32))
    crop = random_crop(
        _pair(volume, volume), replace(PLAIN, flips=(False,) * 3), np.random.default_rng(0)
    )
    assert crop.counted[:, 0, 0].tolist() == [False] + [True] * 13 + [False] * 2
    np.testing.assert_array_equal(crop.signal[0], crop.signal[1])
    np.testing.assert_array_equal(crop.signal[14], crop.signal[13])


def test_crops_are_only_as_deep_as_the_images() -> None:
    thin, thick = (_pair(_volume((z, 8, 8)), _volume((z, 8, 8))) for z in (13, 40))
    assert choose_crop((32, 64, 64), [thin]) == (16, 64, 64)
    assert choose_crop((32, 64, 64), [thin, thick]) == (32, 64, 64)
    flat = _pair(_volume((40, 8, 8)), _volume((8, 8)))
    with pytest.raises(ValueError, match="needs all planes"):
        choose_crop((32, 64, 64), [flat])


def test_batches_repeat_mix_tasks_and_travel_to_processes() -> None:
    pairs = [_pair(_volume(seed=k), _volume(seed=9), task=k) for k in range(3)]
    batches = StructureBatches(pairs, PLAIN, size=2, seed=4)
    again = pickle.loads(pickle.dumps(batches))
    for half in (0, 1):
        for one, other in zip(batches(7)[half], again(7)[half], strict=True):
            assert torch.equal(one, other)
    drawn = torch.cat([batches(step)[0][1] for step in range(3)])
    assert sorted(drawn.tolist()) == [0, 0, 1, 1, 2, 2]  # every image once in each pass
    (signal, _), (target, counted, projected) = batches(0)
    assert signal.shape == target.shape == counted.shape == (2, 1, *SMALL)
    assert projected.tolist() == [False, False]


def test_a_structure_of_one_image_is_learned_as_often_as_one_of_many() -> None:
    pairs = [_pair(_volume(seed=k), _volume(seed=9), task=int(k > 0)) for k in range(5)]
    batches = StructureBatches(pairs, PLAIN_WITHOUT_FLIPS, size=2, by_structure=True)
    drawn = [batches(step) for step in range(8)]
    assert all(sorted(task.tolist()) == [0, 1] for (_, task), _ in drawn)
    many = [signal[task == 1].double().sum().item() for (signal, task), _ in drawn]
    assert len(set(many[:4])) == len(set(many[4:])) == 4  # each of its images once in each pass


def test_the_loss_is_the_mean_squared_error_of_what_was_measured() -> None:
    generator = torch.Generator().manual_seed(0)
    output, target = (torch.randn(3, 1, 4, 5, 6, generator=generator) for _ in range(2))
    everything = torch.ones(3, 1, 4, 5, 6, dtype=torch.bool)
    in_3d = torch.zeros(3, dtype=torch.bool)
    expected = (output - target).square().mean()
    assert structure_loss(output, target, everything, in_3d) == pytest.approx(float(expected))
    part = everything.clone()
    part[:, :, 2:] = False
    wild = torch.where(part, output, torch.full_like(output, 1e6))
    expected = (output - target)[:, :, :2].square().mean()
    assert structure_loss(wild, target, part, in_3d) == pytest.approx(float(expected))
    assert structure_loss(wild, target, part & False, in_3d) == 0


@pytest.mark.parametrize("projection", list(PROJECTIONS))
def test_a_projected_target_leaves_the_place_along_z_free(projection: str) -> None:
    generator = torch.Generator().manual_seed(0)
    plane = torch.randn(1, 1, 1, 5, 6, generator=generator)
    target, counted = plane.expand(1, 1, 4, 5, 6), torch.ones(1, 1, 4, 5, 6, dtype=torch.bool)
    counted[:, :, 3] = False
    flat = torch.ones(1, dtype=torch.bool)
    losses = []
    for z in (0, 2):
        output = torch.full((1, 1, 4, 5, 6), -10.0 if projection == "max" else 0.0)
        output[:, :, z] = plane[:, :, 0] * (1 if projection == "max" else 3)
        output[:, :, 3] = 99.0  # a mirrored plane, not measured
        losses.append(float(structure_loss(output, target, counted, flat, projection)))
    assert losses == pytest.approx([0.0, 0.0], abs=1e-10)
    assert float(structure_loss(output - 1, target, counted, flat, projection)) > 0.9


def _two_tasks() -> list[StructurePair]:
    """One signal, two answers: bright where it is bright, and the opposite."""
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(2):
        signal = rng.standard_normal((16, 32, 32)).astype(np.float32)
        pairs += [_pair(signal, signal, 0), _pair(signal, -signal, 1)]
    return pairs


def _learned(folder: Path, steps: int, stop: int | None = None) -> TrainingRun:
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    settings = LoopSettings(
        steps=steps,
        minutes=60,
        optimiser="adam",
        schedule="constant",
        learning_rate=1e-2,
        weight_decay=0,
        smoothing=0.9,
        score_minutes=60,
    )
    run = TrainingRun(RepMode(2, 2), structure_loss, settings, folder, "structures: a, b")
    batches = StructureBatches(_two_tasks(), PLAIN_WITHOUT_FLIPS, size=4)
    run.resume()
    for _ in range((stop or steps) - run.step):
        run.learn(batches(run.step))
    run.save()
    return run


PLAIN_WITHOUT_FLIPS = replace(PLAIN, crop=(16, 16, 16), flips=(False, False, False))


def test_one_network_learns_two_structures_from_one_signal(tmp_path: Path) -> None:
    run = _learned(tmp_path, 60)
    network = run.average.module.eval()
    settings = TileSettings(SMALL)
    scores = drive(score_structures(network, _two_tasks(), ("a", "b"), settings))
    assert scores["pcc a"] > 0.6
    assert scores["pcc b"] > 0.6
    assert scores["pcc"] == pytest.approx((scores["pcc a"] + scores["pcc b"]) / 2)
    signal = torch.from_numpy(_two_tasks()[0].signal.read(np.s_[:, :, :]))[None, None]
    with torch.inference_mode():
        a, b = (network(signal, torch.tensor([task])).flatten() for task in (0, 1))
    assert torch.corrcoef(torch.stack([a, b]))[0, 1] < -0.3


def test_a_broken_run_continues_to_the_same_weights(tmp_path: Path) -> None:
    whole = _learned(tmp_path / "whole", 5).average.state_dict()
    _learned(tmp_path / "broken", 5, stop=2)
    continued = _learned(tmp_path / "broken", 5)
    assert continued.step == 5
    for name, value in whole.items():
        torch.testing.assert_close(continued.average.state_dict()[name], value)


def test_a_run_of_other_structures_is_not_continued(tmp_path: Path) -> None:
    _learned(tmp_path, 2, stop=1)
    for network, purpose in (
        (RepMode(2, 2), "structures: b, a"),
        (RepMode(2, 1), "structures: a, b"),
    ):
        run = TrainingRun(network, structure_loss, LoopSettings(), tmp_path, purpose)
        with pytest.raises(ValueError, match="Choose another folder"):
            run.resume()


def test_a_lost_network_is_said_at_once(tmp_path: Path) -> None:
    run = TrainingRun(RepMode(1, 1), structure_loss, LoopSettings(), tmp_path)
    batches = StructureBatches([_pair(_volume(), _volume())], PLAIN, size=2)
    (signal, task), rest = batches(0)
    with pytest.raises(RuntimeError, match="learning rate below"):
        run.learn(((signal * float("nan"), task), rest))


def test_the_recipe_of_the_paper_keeps_its_rate_and_its_last_weights(tmp_path: Path) -> None:
    recipe = RECIPES["repmode"]
    settings = LoopSettings(
        optimiser=recipe.optimiser,
        schedule=recipe.schedule,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        smoothing=recipe.smoothing,
    )
    run = TrainingRun(RepMode(1, 1), structure_loss, settings, tmp_path)
    batches = StructureBatches([_pair(_volume(), _volume())], PLAIN, size=2)
    for step in range(2):
        run.learn(batches(step))
        assert run.rate() == 1e-4
    assert isinstance(run.optimiser, torch.optim.Adam)
    assert run.optimiser.defaults["weight_decay"] == 0
    for name, value in run.network.state_dict().items():
        assert torch.equal(run.average.module.state_dict()[name], value)


@pytest.mark.parametrize("shape", [(16, 32, 32), (13, 40, 33), (20, 70, 20)])
def test_whole_stacks_are_predicted_on_their_own_grid(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    plain = RepMode(1, 1).eval().merge(0)
    pair = _pair(_volume(shape), _volume(shape))
    found = drive(predict_whole(plain, pair, TileSettings(SMALL)))
    assert found.shape == shape
    assert np.isfinite(found).all()
    if shape == SMALL:
        with torch.inference_mode():
            signal = torch.from_numpy(pair.signal.read(np.s_[:, :, :]))[None, None]
            np.testing.assert_allclose(found, plain(signal)[0, 0].numpy(), atol=1e-4)


def test_the_loop_trains_structures_with_processes(tmp_path: Path) -> None:
    def train(folder: Path, workers: int) -> dict[str, torch.Tensor]:
        folder.mkdir()
        torch.manual_seed(0)
        settings = LoopSettings(steps=2, minutes=60, workers=workers)
        run = TrainingRun(RepMode(2, 1), structure_loss, settings, folder)
        batches = StructureBatches(_two_tasks(), PLAIN, size=2)

        def score(network: Any) -> Any:
            return score_structures(network, _two_tasks()[:1], ("a", "b"), TileSettings(SMALL))

        return drive(fit(run, batches, score)).state_dict()

    alone, helped = train(tmp_path / "alone", 0), train(tmp_path / "helped", 1)
    for name, value in alone.items():
        torch.testing.assert_close(helped[name], value)
