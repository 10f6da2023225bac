"""A result made again from its provenance: the same, bit for bit."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings, strategies as st

import napari_ssp as ssp
from napari_ssp.cli import main
from napari_ssp.cli.predict import predict
from napari_ssp.cli.segment import segment
from napari_ssp.io.scene import MISSING
from napari_ssp.progress import run
from napari_ssp.registry import ModelCard, find_card, load_model, save_model
from napari_ssp.schema import describe_fields
from napari_ssp.service import (
    PredictRequest,
    SegmentRequest,
    as_command,
    as_script,
    find_members,
    restore_request,
)
from napari_ssp.service.model_cache import ModelCache
from napari_ssp.service.model_service import SHARED_MODELS
from napari_ssp.service.pipelines import prepare_steps
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.requests import NORMALISATIONS, PRECISIONS, STACKS

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from napari_ssp.service import Segmentation


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "two words.tif"
    y, x = np.mgrid[:90, :110]
    discs = [(y - b) ** 2 + (x - a) ** 2 < 60 for b in (20, 45, 72) for a in (18, 52, 88)]
    noise = np.random.default_rng(0).normal(0, 400, y.shape)
    image = (1000 + 9000 * np.any(discs, axis=0) + noise).clip(0).astype(np.uint16)
    tifffile.imwrite(path, image)
    return path


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "stack.tif"
    image = np.random.default_rng(1).integers(0, 60_000, (18, 40, 44)).astype(np.uint16)
    tifffile.imwrite(path, image, imagej=True, metadata={"axes": "ZYX"})
    return path


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model that finds cells, with windows no larger than the images need."""
    model = tmp_path_factory.mktemp("models") / "starter"
    shutil.copytree(find_card("mediar-starter").weights.parent, model)
    replace(ModelCard.read(model), window=(256, 256)).write(model)
    return model


def _segment(image: Any, model: Path, **options: Any) -> Segmentation:
    result = ssp.segment(image, str(model), **options)
    assert result.num_objects > 2
    return result


@pytest.fixture(autouse=True)
def _threads_of_a_job(job_threads: int) -> None:
    """Let this thread have the number of a job's: on some processors sums depend on it."""
    torch.set_num_threads(job_threads)
    SHARED_MODELS.clear()  # kernels that were merged with another number


def _run_script(record: dict[str, Any]) -> Any:
    """Result of a script."""
    room: dict[str, Any] = {}
    exec(as_script(record), room)
    return room["result"]


def _as_json(provenance: dict[str, Any]) -> dict[str, Any]:
    """As it comes back from a layer that was saved."""
    loaded: dict[str, Any] = json.loads(json.dumps(provenance))
    return loaded


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tta": True, "overlap": 0.3, "device": "cpu"},
        {"voxel_size": (1.0, 0.5, 0.5)},
        {"region": (-3, 80, 5, 100), "plane": (0, 0), "hole_size": 40},
    ],
    ids=["plain", "mirrored", "sized", "part"],
)
def test_the_command_gives_the_same_labels(
    file: Path, starter: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    result = _segment(file, starter, **options)
    command = as_command(_as_json(result.provenance), output=tmp_path / "out")
    words = shlex.split(command)
    assert words[:3] == ["napari-ssp", "segment", str(file)]
    done = CliRunner().invoke(main, words[1:])
    assert done.exit_code == 0, done.output
    again = tifffile.imread(tmp_path / "out" / "two words_label.tiff")
    np.testing.assert_array_equal(again, result.labels)


def test_the_request_gives_the_same_labels(file: Path, starter: Path) -> None:
    first = _segment(file, starter, region=(10, 80, 5, 100))
    request = restore_request(_as_json(first.provenance))
    again = run(prepare_steps(request, ModelCache())())
    np.testing.assert_array_equal(again.labels, first.labels)
    np.testing.assert_array_equal(again.flows, first.flows)
    assert again.provenance["model"] == first.provenance["model"]


def test_the_script_gives_the_same_labels(file: Path, starter: Path) -> None:
    first = _segment(file, starter, region=(10, 80, 5, 100))
    again = _run_script(_as_json(first.provenance))
    np.testing.assert_array_equal(again.labels, first.labels)


def test_predictions_come_back_too(stack: Path, tiny_structures: Path, tmp_path: Path) -> None:
    service = ssp.ModelService()
    request = ssp.PredictRequest(
        stack,
        ("nucleoli", "dna"),
        str(tiny_structures),
        overlap=0.25,
        device="cpu",
        z_range=(1, 17),
        region=(2, 40, 0, 44),
    )
    first = service.submit(request).result(120)
    service.close()
    record = _as_json(first.provenance)
    words = shlex.split(as_command(record, output=tmp_path / "out"))
    assert words[words.index("--task") + 1] == "nucleoli"
    done = CliRunner().invoke(main, words[1:])
    assert done.exit_code == 0, done.output
    again = tifffile.imread(tmp_path / "out" / "stack_prediction.ome.tif")
    planes = np.moveaxis(again, 1, 0) if again.shape[0] == 16 else again
    np.testing.assert_array_equal(planes, np.stack([first.images[t] for t in request.tasks]))
    np.testing.assert_array_equal(_run_script(record)["dna"], first.images["dna"])


def test_an_image_in_memory_needs_its_file(file: Path, starter: Path, tmp_path: Path) -> None:
    result = _segment(tifffile.imread(file), starter)
    with pytest.raises(ValueError, match="'array', which was in memory"):
        as_command(result.provenance)
    again = run(prepare_steps(restore_request(result.provenance, file), ModelCache())())
    np.testing.assert_array_equal(again.labels, result.labels)
    assert str(file) in shlex.split(as_command(result.provenance, file))


def _changed(model: Path, folder: Path) -> Path:
    """Copy of a model with other weights."""
    network = load_model(model)
    network.state_dict()["cellprob_head.3.bias"].add_(0.1)
    return save_model(network, ModelCard.read(model), folder).weights.parent


def test_the_model_must_be_the_same(
    file: Path, starter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    folder = _changed(starter, tmp_path / "model")
    record = _segment(file, folder).provenance
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError, match="There is no model"):
        restore_request(record)
    # The same weights under another name are as good.
    kept = _changed(starter, tmp_path / "cache" / "models" / "kept")
    replace(ModelCard.read(kept), name="kept").write(kept)
    assert restore_request(record).model == "kept"
    shutil.rmtree(kept)
    shutil.copytree(starter, folder)
    with pytest.raises(ValueError, match="has changed since"):
        restore_request(record)


def test_what_cannot_be_repeated(file: Path, starter: Path) -> None:
    with pytest.raises(ValueError, match="does not say how it was made"):
        restore_request({})
    record = _as_json(_segment(file, starter).provenance)
    record["request"]["quantum"] = True
    with pytest.raises(ValueError, match=r"another version of napari-ssp.*quantum"):
        as_command(record)


def _of(kind: type, name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values within the limits of a request's field, its default among them."""
    return st.just(describe_fields(kind)[name].default) | values


def _numbers(kind: type, name: str) -> st.SearchStrategy[float]:
    item = describe_fields(kind)[name]
    return st.floats(item.min, item.max)


_IMAGE_FIELDS = {
    "scene": st.none() | st.sampled_from(["0", "Pos 1", "A/1/0", "--all", "it's one"]),
    "missing": st.sampled_from(MISSING),
    "axes": st.none() | st.sampled_from(["yx", "zyx", "tczyx"]),
    "voxel_size": st.none() | st.tuples(*[st.floats(1e-9, 1e9)] * 3),
    "channel": st.none() | st.integers(0, 9),
    "region": st.none() | st.tuples(*[st.integers(-(2**40), 2**40)] * 4),
    "device": st.sampled_from(["auto", "cpu"]),
    "precision": st.sampled_from(PRECISIONS),
}
_CELLS = _IMAGE_FIELDS | {
    "fallback": st.booleans(),
    "nuclei": st.none() | st.integers(0, 9),
    "plane": st.none() | st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    "diameter": st.none() | _numbers(SegmentRequest, "diameter"),
    "tta": st.booleans(),
    "eightfold": st.booleans(),
    "overlap": _of(SegmentRequest, "overlap", _numbers(SegmentRequest, "overlap")),
    "batch_size": st.integers(0, 256),
    "cell_threshold": _of(
        SegmentRequest, "cell_threshold", _numbers(SegmentRequest, "cell_threshold")
    ),
    "flow_threshold": _of(
        SegmentRequest, "flow_threshold", _numbers(SegmentRequest, "flow_threshold")
    ),
    "min_size": st.integers(0, 10**6),
    "hole_size": st.none() | st.integers(0, 10**6),
    "stacks": st.sampled_from(STACKS),
    "normalise": st.sampled_from(NORMALISATIONS),
    "link_overlap": _of(SegmentRequest, "link_overlap", _numbers(SegmentRequest, "link_overlap")),
    "tile": st.none() | st.integers(64, 10**6),
    "through": st.sampled_from([None, "dapi", "it's"]),
    "through_model": st.just("repmode-starter"),
}
_STRUCTURES = _IMAGE_FIELDS | {
    "overlap": _of(PredictRequest, "overlap", _numbers(PredictRequest, "overlap")),
    "batch_size": st.integers(1, 256),
    "time": st.integers(0, 10**6),
    "z_range": st.none() | st.tuples(st.integers(-9, 10**6), st.integers(-9, 10**6)),
    "measured_units": st.booleans(),
    "spread": st.booleans(),
}


def _possible(chosen: dict[str, Any]) -> dict[str, Any]:
    """Choices without nuclei beside a structure that is predicted, which are refused."""
    return chosen | ({"nuclei": None} if chosen["through"] else {})


def _again(request: Any, image: Any, command: click.Command) -> Any:
    """Request that the command line makes of the command of a request's provenance."""
    card = find_members(request.model)[0] if command is segment else find_card(request.model)
    record = _as_json(describe_run(request.provenance(), card, "cpu", 1.0))
    if getattr(request, "through", None) is not None:
        first = find_card(request.through_model)
        record["through"] = {"model": {"name": first.name, "sha256": first.sha256}}
    words = shlex.split(as_command(record, image))
    assert words[:2] == ["napari-ssp", command.name]
    chosen = command.make_context(command.name, words[2:]).params
    (path,) = chosen["paths"]
    known = {item.name for item in fields(request)}
    return type(request)(
        path, **{name: value for name, value in chosen.items() if name in known}
    ), restore_request(record, image)


def _same(one: Any, other: Any) -> None:
    for item in fields(one):
        if item.name not in ("image", "device"):
            assert getattr(one, item.name) == getattr(other, item.name), item.name


def test_every_field_of_a_request_is_drawn() -> None:
    own = {item.name for item in fields(SegmentRequest)}
    assert own == {"image", "model", *_CELLS}
    assert {item.name for item in fields(PredictRequest)} == {
        "image",
        "model",
        "tasks",
        *_STRUCTURES,
    }


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries(_CELLS).map(_possible), st.sampled_from(["", "+mediar-starter"]))
def test_all_choices_survive_as_a_command(file: Path, chosen: dict[str, Any], another: str) -> None:
    request = SegmentRequest(file, f"mediar-starter{another}", **chosen)
    for found in _again(request, None, segment):
        _same(request, found)
        assert (str(found.image), found.device) == (str(file), "cpu")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(_STRUCTURES),
    st.lists(st.sampled_from(["dapi", "map2", "-a b", "it's"]), min_size=1, unique=True),
)
def test_all_choices_of_structures_survive_as_a_command(
    stack: Path, chosen: dict[str, Any], tasks: list[str]
) -> None:
    request = PredictRequest(stack, tuple(tasks), "repmode-starter", **chosen)
    for found in _again(request, None, predict):
        _same(request, found)
        assert str(found.image) == str(stack)


def test_a_file_whose_name_looks_like_an_option(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(file, "-o.tif")
    request = SegmentRequest("-o.tif", "mediar-starter")
    again, _ = _again(request, None, segment)
    assert again.image.samefile("-o.tif")


@pytest.mark.parametrize(
    "options",
    [
        {"stacks": "linked", "link_overlap": 0.4},
        {"stacks": "planes", "tile": 64, "min_size": 5},
        {"models": 2, "region": (0, 60, 0, 80)},
        {"diameter": 20.0, "eightfold": True, "plane": (0, 1), "overlap": 0.25},
    ],
    ids=["linked", "tiled", "two models", "turned"],
)
def test_the_command_gives_the_same_labels_of_a_stack(
    file: Path, starter: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    model = "+".join([str(starter)] * options.get("models", 1))
    chosen = {name: value for name, value in options.items() if name != "models"}
    plane = tifffile.imread(file)
    path = tmp_path / "planes.tif"
    planes = np.stack([plane, np.roll(plane, 2, axis=0)])
    tifffile.imwrite(path, planes, imagej=True, metadata={"axes": "ZYX"})
    _same_again(path, tmp_path / "out", ssp.segment(path, model, device="cpu", **chosen))


def test_the_command_gives_the_same_labels_of_a_volume(
    file: Path, starter: Path, tmp_path: Path
) -> None:
    # The starter's own windows and magnification are large for a size that is estimated.
    model = tmp_path / "small-windows"
    shutil.copytree(starter, model)
    replace(ModelCard.read(model), window=(128, 128), zoom=1.0, object_diameter=20.0).write(model)
    path = tmp_path / "planes.tif"
    planes = np.stack([tifffile.imread(file)[:40, :48]] * 8)
    tifffile.imwrite(path, planes, imagej=True, metadata={"axes": "ZYX"})
    chosen = {"stacks": "volume", "voxel_size": (2.0, 1.0, 1.0), "region": (0, 36, 4, 44)}
    result = ssp.segment(path, str(model), device="cpu", cell_threshold=0.3, **chosen)
    _same_again(path, tmp_path / "out", result)


def _same_again(path: Path, output: Path, result: Segmentation) -> None:
    """Compare a result with what its command writes."""
    assert result.num_objects > 0
    words = shlex.split(as_command(_as_json(result.provenance), output=output))
    done = CliRunner().invoke(main, words[1:])
    assert done.exit_code == 0, done.output
    again = tifffile.imread(output / f"{path.stem}_label.tiff")
    np.testing.assert_array_equal(again, result.labels)
