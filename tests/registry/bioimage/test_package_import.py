"""BioImage.IO packages taken in: what is understood, what is proved, and what is refused."""

from __future__ import annotations

import hashlib
import json
import warnings
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml

from napari_ssp.progress import run
from napari_ssp.registry import (
    FLOWS,
    UntrustedError,
    export_bioimage_steps,
    import_checkpoint,
    load_model,
)
from napari_ssp.registry.bioimage.operations import apply_operations, check_operations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


class Doubled(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


def _npy(values: Any) -> bytes:
    buffer = BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def script() -> bytes:
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Doubled()), buffer)
    return buffer.getvalue()


@pytest.fixture
def package(script: bytes, tmp_path: Path) -> Callable[..., Path]:
    """Write a package that doubles a grey image; changes go to its description or its files."""

    def write(change: Any = None, **files: bytes) -> Path:
        space = [{"type": "space", "id": a, "size": {"min": 8, "step": 4}} for a in "yx"]
        axes = [{"type": "batch"}, {"type": "channel", "channel_names": ["grey"]}, *space]
        example = np.arange(128, dtype=np.float32).reshape(1, 1, 8, 16)
        content: dict[str, Any] = {
            "format_version": "0.5.4",
            "type": "model",
            "name": "doubled it",
            "description": "Doubles.",
            "license": "MIT",
            "cite": [{"text": "A paper", "doi": "10.1/1"}],
            "inputs": [{"id": "raw", "axes": axes, "test_tensor": {"source": "in.npy"}}],
            "outputs": [{"id": "twice", "axes": axes, "test_tensor": {"source": "out.npy"}}],
            "weights": {"torchscript": {"source": "w.pt", "pytorch_version": "2.6.0"}},
        }
        if change is not None:
            change(content)
        held = {"w.pt": script, "in.npy": _npy(example), "out.npy": _npy(2 * example)}
        held |= {name.replace("_", "."): data for name, data in files.items()}
        path = tmp_path / "package.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("rdf.yaml", json.dumps(content))
            for name, data in held.items():
                archive.writestr(name, data)
        return path

    return write


def _refused(path: Path, cache: Path, words: str) -> None:
    with pytest.raises((ValueError, PermissionError), match=words):
        import_checkpoint(path, trusted=True)
    models = cache / "models"
    assert not models.exists() or list(models.iterdir()) == []
    assert not (cache / "trusted.json").exists()  # what was refused is not trusted either


def test_a_program_needs_consent(cache: Path, package: Callable[..., Path]) -> None:
    path = package()
    with pytest.raises(UntrustedError, match=r"holds a program \(TorchScript\).*not opened"):
        import_checkpoint(path)
    assert not list((cache / "models").glob("*"))
    card = import_checkpoint(path, trusted=True)
    assert (card.name, card.family, card.axes) == ("doubled-it", "package", "yx")
    assert card.sha256 == hashlib.sha256(card.weights.read_bytes()).hexdigest()
    assert (card.licence, card.citation) == ("MIT", "A paper 10.1/1")
    assert card.window == (512, 512)
    assert card.makes == "images"
    x = torch.rand(1, 1, 8, 8)
    torch.testing.assert_close(load_model(card)(x), 2 * x)
    # Another computer, or a lab's folder: the consent was not given there.
    (cache / "trusted.json").unlink()
    with pytest.raises(UntrustedError, match="nobody agreed to on this computer"):
        load_model(card)


def test_a_folder_is_a_package_too(
    cache: Path, package: Callable[..., Path], tmp_path: Path
) -> None:
    with zipfile.ZipFile(package()) as archive:
        archive.extractall(tmp_path / "folder")
    assert import_checkpoint(tmp_path / "folder", "x", trusted=True).name == "x"
    with pytest.raises(FileExistsError, match="There is a model 'x' already"):
        import_checkpoint(tmp_path / "folder", "x", trusted=True)


def _first(key: str, *path: Any) -> Callable[[Any, Any], Any]:
    def change(content: Any, value: Any) -> None:
        place = content[key][0]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def _as_volumes(content: Any, channels: list[str]) -> None:
    """Give input and output a z axis, and the output these channels."""
    for tensor in (content["inputs"][0], content["outputs"][0]):
        tensor["axes"] = json.loads(json.dumps(tensor["axes"]))
        tensor["axes"].insert(2, {"type": "space", "id": "z", "size": {"min": 8, "step": 4}})
    content["outputs"][0]["axes"][1]["channel_names"] = channels


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(format_version="0.4.9"), "of format 0.4.9, and only 0.5"),
        (lambda c: c.update(type="dataset"), "describes a dataset, not a model"),
        (lambda c: c.update(weights={}), "names no weights"),
        (lambda c: c.update(inputs=c["inputs"] * 2), "has 2 inputs"),
        (
            lambda c: _first("inputs", "axes", 3, "id")(c, "t"),
            "has the axes 'batch, channel, y, t'",
        ),
        (lambda c: _first("inputs", "axes", 3, "size")(c, "big"), "axis of size big"),
        (
            lambda c: _first("inputs", "axes", 1, "channel_names")(c, ["a", "b"]),
            "input has 2 channels",
        ),
        (
            lambda c: _first("inputs", "preprocessing")(c, [{"id": "custom", "source": "x.py"}]),
            "preprocessing asks for 'custom', which is not supported",
        ),
        (
            lambda c: _first("outputs", "postprocessing")(
                c, [{"id": "clip", "kwargs": {"min": {"a": 1}}}]
            ),
            "'clip' has 'min'",
        ),
        (
            lambda c: (
                c.update(outputs=[json.loads(json.dumps(c["outputs"][0]))])
                or _first("outputs", "axes", 2, "scale")(c, 2.0)
            ),
            "not on the grid of its input",
        ),
        (
            lambda c: c.update(
                weights={
                    "pytorch_state_dict": {
                        "source": "w.pt",
                        "architecture": {"callable": "UNet", "source": "unet.py"},
                    }
                }
            ),
            "needs? the code of 'UNet', and code of packages is never run",
        ),
        (lambda c: c.update(weights={"keras_hdf5": {"source": "w.h5"}}), "weights are keras_hdf5"),
        (lambda c: _as_volumes(c, ["flow_z", "flow_y", "flow_x", "logit"]), "flows in 3D"),
    ],
)
def test_what_is_not_supported_is_named(
    cache: Path, package: Callable[..., Path], change: Any, words: str
) -> None:
    _refused(package(change), cache, words)


def _source(name: str) -> Callable[[Any], None]:
    return lambda c: c["weights"]["torchscript"].update(source=name)


@pytest.mark.parametrize(
    ("change", "files", "words"),
    [
        (_source("../w.pt"), {}, "asks for the file '../w.pt': refused"),
        (_source("/etc/passwd"), {}, "asks for the file '/etc/passwd': refused"),
        (_source("https://a.b/w.pt"), {}, "is an address"),
        (_source("other.pt"), {}, "holds 0 files 'other.pt'"),
        (None, {"w_pt": b"\0" * 10**7}, "would become 10000000 bytes"),
        (lambda c: c["weights"]["torchscript"].update(sha256="0" * 64), {}, "has the sha256"),
        (None, {"w_pt": b"no program at all"}, "cannot be loaded"),
        (None, {"out_npy": _npy(np.ones((1, 1, 8, 16)))}, "does not compute its own test output"),
        (None, {"out_npy": _npy(np.ones((1, 1, 8, 8)))}, "does not give what its description"),
        (None, {"in_npy": _npy(np.array([{}], object))}, "allow_pickle=False"),
        (None, {"in_npy": b"dear diary"}, "."),
        (None, {"rdf_yaml": b"x"}, "."),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_hostile_and_damaged_packages(
    cache: Path, package: Callable[..., Path], change: Any, files: Any, words: str
) -> None:
    _refused(package(change, **files), cache, words)


def test_a_description_that_makes_objects_is_refused(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", f"name: !!python/object/apply:os.mkdir ['{tmp_path}/done']")
    _refused(path, cache, r"The description in x\.zip is damaged")
    assert not (tmp_path / "done").exists()


_LAUGHS = "\n".join(
    f"l{k}: &l{k} [{', '.join([f'*l{k - 1}'] * 9 if k else ['ha'] * 9)}]" for k in range(12)
)
_MERGES = "\n".join(
    f"m{k}: &m{k} {{<<: [{', '.join([f'*m{k - 1}'] * 9)}]}}" if k else "m0: &m0 {a: 1}"
    for k in range(12)
)


@pytest.mark.parametrize("end", ["type: *l11", "name: *l11", "format_version: *l11"])
def test_a_description_that_fills_the_memory_is_refused(
    cache: Path, tmp_path: Path, end: str
) -> None:
    path = tmp_path / "x.zip"
    for text in (f"{_LAUGHS}\n{end}\n", _MERGES, "type: model\nname: &a [*a]\n"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("rdf.yaml", text)
        _refused(path, cache, "more than 100000 entries when it is written out")


def test_entries_that_are_repeated_a_little_are_read(
    cache: Path, package: Callable[..., Path]
) -> None:
    """As other programs write what they use twice."""
    path = package()
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    content = json.loads(held["rdf.yaml"])
    content["outputs"][0]["axes"] = content["inputs"][0]["axes"]
    text = yaml.safe_dump(content)
    assert "*id001" in text
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (held | {"rdf.yaml": text.encode()}).items():
            archive.writestr(name, data)
    assert import_checkpoint(path, trusted=True).name == "doubled-it"


def test_an_array_whose_head_states_a_giant(cache: Path, package: Callable[..., Path]) -> None:
    head = _npy(np.zeros((1, 1, 8, 16), np.float32)).replace(
        b"(1, 1, 8, 16), }          ", b"(1, 1, 8, 160000000000), }"
    )
    assert b"160000000000" in head
    _refused(package(in_npy=head), cache, "'in.npy' in package.zip is no array|.")


def test_links_in_packages_lead_nowhere(
    cache: Path, package: Callable[..., Path], tmp_path: Path
) -> None:
    """A link in an archive is a text; one in a folder must stay inside."""
    path = package()
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
        archive.extractall(tmp_path / "folder")
    link = zipfile.ZipInfo("w.pt")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    secret = tmp_path / "secret.pt"
    secret.write_bytes(held.pop("w.pt"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, str(secret))
        for name, data in held.items():
            archive.writestr(name, data)
    _refused(path, cache, "cannot be loaded")
    (tmp_path / "folder" / "w.pt").unlink()
    (tmp_path / "folder" / "w.pt").symlink_to(secret)
    _refused(tmp_path / "folder", cache, "holds no file 'w.pt'")


def test_other_members_of_an_archive_are_not_unpacked(
    cache: Path, package: Callable[..., Path], tmp_path: Path
) -> None:
    path = package()
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("../../climbed.txt", "unet.py", "more/inner.zip"):
            archive.writestr(name, b"x")
    card = import_checkpoint(path, trusted=True)
    assert sorted(p.name for p in card.folder.iterdir()) == ["card.json", "weights.pt"]
    assert not list(tmp_path.parent.rglob("climbed.txt"))


@pytest.mark.parametrize("place", ["secret.bin", "../secret.bin", "{}/secret.bin"])
def test_a_graph_cannot_read_other_files(
    cache: Path,
    package: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    (tmp_path / "inner").mkdir()
    for folder in (tmp_path, tmp_path / "inner"):
        (folder / "secret.bin").write_bytes(np.full(4, 2, np.float32).tobytes())
    monkeypatch.chdir(tmp_path / "inner")
    weight = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=1)
    entry = weight.external_data.add()
    entry.key, entry.value = "location", place.format(tmp_path)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Mul", ["x", "w"], ["y"])],
        "g",
        [value("x", 1, [1, 1, "a", "b"])],
        [value("y", 1, [1, 1, "a", "b"])],
        [weight],
    )
    opset = onnx.helper.make_opsetid("", 17)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    path = package(
        lambda c: c.update(weights={"onnx": {"source": "w.onnx"}}),
        w_onnx=model.SerializeToString(),
    )
    _refused(path, cache, "cannot be loaded")


def test_a_state_dict_of_ours_is_a_model_of_ours(
    cache: Path, package: Callable[..., Path], tiny_structures: Path
) -> None:
    network, buffer = load_model(tiny_structures), BytesIO()
    torch.save(network.state_dict(), buffer)
    architecture = {"callable": "RepMode", "source": "repmode.py"}
    weights = {"pytorch_state_dict": {"source": "r.pth", "architecture": architecture}}
    path = package(lambda c: c.update(weights=weights), r_pth=buffer.getvalue())
    card = import_checkpoint(path)
    assert (card.family, card.licence, card.name) == ("repmode", "MIT", "doubled-it")
    x = torch.rand(1, 1, 16, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(
            load_model(card)(x, torch.tensor([1])), network(x, torch.tensor([1]))
        )


@pytest.mark.filterwarnings("ignore")
def test_our_own_package_comes_back_as_a_graph(
    cache: Path, tiny_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    path = run(export_bioimage_steps(tiny_model, tmp_path / "tiny.zip", with_onnx=True))
    card = import_checkpoint(path)  # no consent: the graph is taken
    assert card.network["format"] == "onnx"
    assert (card.network["output"], card.makes) == (FLOWS, "objects")
    assert card.window == (64, 64)
    x = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        torch.testing.assert_close(
            load_model(card)(x), load_model(tiny_model)(x), rtol=1e-4, atol=1e-5
        )


def test_operations_do_what_the_format_says() -> None:
    values = np.random.default_rng(0).normal(5, 3, (2, 7, 9)).astype(np.float32)
    axes = ("channel", "y", "x")

    def done(name: str, **chosen: Any) -> Any:
        steps = check_operations([{"id": name, "kwargs": chosen}], "preprocessing")
        return apply_operations(values, axes, steps)

    each = done("zero_mean_unit_variance", axes=["y", "x"])
    np.testing.assert_allclose(each.mean(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(each.std(axis=(1, 2)), 1, atol=1e-5)
    np.testing.assert_allclose(done("zero_mean_unit_variance").std(), 1, atol=1e-5)
    scaled = done("scale_range", axes=["y", "x"], min_percentile=5.0, max_percentile=95.0)
    np.testing.assert_allclose(np.percentile(scaled[1], [5, 95]), [0, 1], atol=1e-5)
    wanted = values * np.array([2, 3])[:, None, None] + 1
    np.testing.assert_allclose(done("scale_linear", axis="channel", gain=[2, 3], offset=1), wanted)
    fixed = done("fixed_zero_mean_unit_variance", mean=5.0, std=3.0)
    np.testing.assert_allclose(fixed, (values - 5) / 3, rtol=1e-6)
    assert done("clip", min=4.0, max=6.0).min() == 4
    assert done("clip", max_percentile=50.0).max() == pytest.approx(np.median(values), rel=1e-6)
    assert set(np.unique(done("binarize", threshold=5.0))) == {0, 1}
    np.testing.assert_allclose(done("softmax").sum(axis=0), 1, rtol=1e-6)
    np.testing.assert_allclose(done("sigmoid"), 1 / (1 + np.exp(-values)), rtol=1e-5)
    np.testing.assert_array_equal(done("ensure_dtype", dtype="float32"), values)
