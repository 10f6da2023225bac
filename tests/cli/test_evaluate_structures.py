from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import read_image, write_image
from napari_ssp.metrics import STRUCTURE_METRICS, structure_metrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

SHAPE = (6, 24, 20)


def stack(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 50.0, SHAPE).astype(np.uint16)


def z_scored(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def predicted(seed: int) -> np.ndarray:
    noise = np.random.default_rng(100 + seed).normal(0, 0.5, SHAPE)
    return (z_scored(stack(seed)) + noise).astype(np.float32)


def write(path: Path, *channels: np.ndarray, names: tuple[str, ...] = ()) -> None:
    data = np.stack(channels) if len(channels) > 1 else channels[0]
    axes = ("c" if len(channels) > 1 else "") + ("zyx" if channels[0].ndim == 3 else "yx")
    write_image(path, MicroscopyImage(data, axes, channel_names=names))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two images with two structures each; the measured file has the transmitted light as well."""
    prediction, truth = tmp_path / "prediction", tmp_path / "truth"
    prediction.mkdir()
    truth.mkdir()
    for k, name in enumerate(("a", "b")):
        write(
            prediction / f"{name}_signal_prediction.ome.tif",
            predicted(k),
            predicted(k + 10),
            names=("dna", "lamin_b1"),
        )
        write(
            truth / f"{name}.ome.tif",
            stack(99),
            stack(k + 10),
            stack(k),
            names=("Bright", "Lamin B1", "DNA"),
        )
    return prediction, truth


def scores(call: Call, *words: object) -> dict:
    result = call("evaluate", "structures", *words, "--json", "-")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_channels_are_matched_by_name(call: Call, folders: tuple[Path, Path]) -> None:
    report = scores(call, "--prediction", folders[0], "--truth", folders[1])
    rows = report["images"]
    assert [(row["name"], row["task"]) for row in rows] == [
        ("a", "dna"),
        ("a", "lamin_b1"),
        ("b", "dna"),
        ("b", "lamin_b1"),
    ]
    expected = structure_metrics(z_scored(stack(11)), predicted(11))
    assert {key: rows[3][key] for key in STRUCTURE_METRICS} == pytest.approx(expected, rel=1e-5)
    assert report["tasks"]["dna"]["images"] == 2
    mean = np.mean([rows[0]["pcc"], rows[2]["pcc"]])
    assert report["tasks"]["dna"]["pcc"] == pytest.approx(mean)
    assert report["mean"]["mse"] == pytest.approx(np.mean([row["mse"] for row in rows]))
    assert report["mean"]["images"] == 4
    assert 0.2 < report["mean"]["mse"] < 0.3


def test_the_table_holds_images_structures_and_means(
    call: Call, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    words = ("--prediction", folders[0], "--truth", folders[1], "--json", tmp_path / "r.json")
    result = call("evaluate", "structures", *words)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "r.json").read_text())
    for word in ("MSE", "SSIM", "lamin_b1", "mean of 2", "mean of 4", "all"):
        assert word in result.stdout
    assert f"{report['mean']['ssim']:.4g}" in result.stdout
    assert result.stderr == ""


def test_unnamed_channels_are_matched_by_order(call: Call, tmp_path: Path) -> None:
    write(tmp_path / "p.tif", predicted(1), predicted(2))
    write(tmp_path / "t.tif", stack(1), stack(2), names=("x", "y"))
    rows = scores(call, "--prediction", tmp_path / "p.tif", "--truth", tmp_path / "t.tif")["images"]
    assert [row["task"] for row in rows] == ["x", "y"]
    assert min(row["pcc"] for row in rows) > 0.8


def test_one_channel_each_needs_no_name(call: Call, tmp_path: Path) -> None:
    write(tmp_path / "p.tif", predicted(1), names=("dna",))
    write(tmp_path / "t.tif", stack(1), names=("Channel:0",))
    rows = scores(call, "--prediction", tmp_path / "p.tif", "--truth", tmp_path / "t.tif")["images"]
    assert [(row["name"], row["task"]) for row in rows] == [("t", "dna")]


def test_names_without_anything_in_common(call: Call, tmp_path: Path) -> None:
    write(tmp_path / "p.tif", predicted(1), predicted(2), names=("dna", "tom20"))
    write(tmp_path / "t.tif", stack(1), stack(2), names=("Bright", "GFP"))
    words = ("--prediction", tmp_path / "p.tif", "--truth", tmp_path / "t.tif")
    result = call("evaluate", "structures", *words)
    assert result.exit_code == 2
    assert "2 ('dna', 'tom20'), the truth 2 ('Bright', 'GFP')" in " ".join(result.stderr.split())


def test_structures_that_were_not_measured_are_named(
    call: Call, folders: tuple[Path, Path]
) -> None:
    for name in ("a", "b"):
        (folders[1] / f"{name}.ome.tif").unlink()
        write(folders[1] / f"{name}.ome.tif", stack(5), stack(0), names=("Bright", "dna"))
    result = call("evaluate", "structures", "--prediction", folders[0], "--truth", folders[1])
    assert result.exit_code == 0, result.output
    assert "Not scored, for the truth has no channel of that name: lamin_b1." in result.stderr


def test_measured_units(call: Call, tmp_path: Path) -> None:
    write(tmp_path / "t.tif", stack(1))
    write(tmp_path / "p.tif", stack(1).astype(np.float32) + 3)
    words = ("--prediction", tmp_path / "p.tif", "--truth", tmp_path / "t.tif")
    raw = scores(call, *words, "--no-normalise")
    assert raw["mean"]["mse"] == pytest.approx(9)
    assert raw["normalised"] is False
    result = call("evaluate", "structures", *words)
    assert result.exit_code == 0
    assert "use --no-normalise" in " ".join(result.stderr.split())


@pytest.mark.parametrize("kind", ["max", "mean"])
def test_projected_measurements(call: Call, tmp_path: Path, kind: str) -> None:
    prediction = predicted(1)
    truth = getattr(stack(1), kind)(axis=0).astype(np.float32)
    write(tmp_path / "p.tif", prediction)
    write(tmp_path / "t.tif", truth)
    words = ("--prediction", tmp_path / "p.tif", "--truth", tmp_path / "t.tif")
    result = call("evaluate", "structures", *words)
    assert result.exit_code == 2
    assert "(6, 24, 20) and the truth (24, 20)" in " ".join(result.stderr.split())
    assert "--project" in result.stderr
    found = scores(call, *words, "--project", kind)["mean"]
    expected = structure_metrics(z_scored(truth), getattr(prediction, kind)(axis=0))
    assert found["pcc"] == pytest.approx(expected["pcc"], abs=1e-6)
    assert found["mse"] == pytest.approx(expected["mse"], rel=1e-5)


def test_real_pairs_score_as_their_arrays(call: Call, shared_data: Path, tmp_path: Path) -> None:
    """The transmitted light beside the measured stacks is not taken for them."""
    pairs = shared_data / "transmitted_light" / "pairs_3d"
    for file in sorted(pairs.glob("*fovB*_target.tif")):
        target = np.asarray(read_image(file).data).astype(np.float64)
        blurred = z_scored(np.sqrt(target))
        name = file.name.replace("_target.tif", "_signal_prediction.ome.tif")
        write(tmp_path / name, blurred.astype(np.float32))
    truth = tmp_path / "truth"
    truth.mkdir()
    for file in pairs.glob("*fovB*"):
        (truth / file.name).symlink_to(file)
    report = scores(call, "--prediction", tmp_path, "--truth", truth)
    assert report["mean"]["images"] == 4
    assert report["mean"]["pcc"] > 0.9


def test_the_last_word_of_a_name_is_the_structure(
    call: Call, shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "transmitted_light" / "stack_to_2d"
    file = source / "neurons_phase_q00_target_DAPI.tif"
    flat = z_scored(np.asarray(read_image(file).data, np.float64)).astype(np.float32)
    deep = np.stack([flat, flat - 1, flat - 2])
    write(tmp_path / "neurons_phase_q00_signal_prediction.tif", deep, names=("dapi",))
    truth = tmp_path / "truth"
    truth.mkdir()
    for found in source.glob("*q00*"):
        (truth / found.name).symlink_to(found)
    report = scores(call, "--prediction", tmp_path, "--truth", truth, "--project", "max")
    assert [(row["name"], row["task"]) for row in report["images"]] == [
        ("neurons_phase_q00", "dapi")
    ]
    assert report["mean"]["pcc"] == pytest.approx(1)
    assert report["mean"]["mse"] == pytest.approx(0, abs=1e-8)


def test_missing_predictions_are_named(call: Call, folders: tuple[Path, Path]) -> None:
    (folders[0] / "b_signal_prediction.ome.tif").unlink()
    result = call("evaluate", "structures", "--prediction", folders[0], "--truth", folders[1])
    assert result.exit_code == 2
    assert "1 of 2 truth images have no prediction" in result.stderr


def test_what_cannot_be_scored(call: Call, tmp_path: Path) -> None:
    broken = predicted(1)
    broken[0, 0, :3] = np.nan
    write(tmp_path / "p.tif", broken)
    write(tmp_path / "t.tif", stack(1))
    write_image(
        tmp_path / "rgb.tif", MicroscopyImage(np.zeros((9, 9, 3), np.uint8), "yxc", rgb=True)
    )
    write_image(tmp_path / "time.tif", MicroscopyImage(np.zeros((2, *SHAPE), np.uint8), "tzyx"))
    for truth, words in (("t", "3 of 2880 values"), ("rgb", "colours"), ("time", "2 time points")):
        call_words = ("--prediction", tmp_path / "p.tif", "--truth", tmp_path / f"{truth}.tif")
        result = call("evaluate", "structures", *call_words)
        assert result.exit_code == 2
        assert words in " ".join(result.stderr.split())


def test_undefined_scores_are_left_out_of_the_mean(call: Call, folders: tuple[Path, Path]) -> None:
    constant = np.zeros(SHAPE, np.uint16)
    (folders[1] / "b.ome.tif").unlink()
    write(folders[1] / "b.ome.tif", constant, stack(10), names=("DNA", "Lamin B1"))
    report = scores(call, "--prediction", folders[0], "--truth", folders[1])
    assert report["images"][2]["r2"] is None
    assert report["tasks"]["dna"]["r2"] == report["images"][0]["r2"]


def test_an_empty_folder(call: Call, folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    words = ("--prediction", folders[0], "--truth", tmp_path / "empty")
    result = call("evaluate", "structures", *words)
    assert result.exit_code == 2
    assert "no images" in result.stderr
