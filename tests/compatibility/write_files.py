"""The program that wrote ``files`` at version 0.1.0, before the rooms were rearranged.

It is kept to tell how they came about, and is not run again: what it imports has moved since.
``@HERE@`` stands for the folder that the files lie in. Of weights and checkpoints all tensors are
as training left them, but for their numbers: the first two of each, or sixteen, are repeated, so
that xz makes little of them.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import sys
import tempfile
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from click.testing import CliRunner
from napari_ssp.registry.extra import _copy_of, _remember
from napari_ssp.registry.partial_file import PartialFile
from napari_ssp.service.finishing import finish_steps
from napari_ssp.service.structure_training import train_structures_steps
from napari_ssp.service.training_recipes import read_recipe, recipe_names
from napari_ssp.service.training_requests import write_request
from napari_ssp.service.training_runs import mark_ended
from napari_ssp.service.training_set import TrainingSet
from stated import (
    ADDRESS,
    CELLS,
    CELLS_CARD,
    CONFIGURATION,
    ENSEMBLE_CARD,
    EVERY_FIELD_CARD,
    IMAGE,
    PREDICT,
    REFINED,
    REMOTE,
    SEGMENT,
    STACK,
    STRUCTURES_CARD,
    TASKS,
    TRAIN,
    TRAIN_DATA,
    TRAIN_STRUCTURES,
    TRAIN_STRUCTURES_DATA,
)

from napari_ssp.cli import main
from napari_ssp.image import MicroscopyImage
from napari_ssp.io import write_image, write_labels
from napari_ssp.progress import run as drive
from napari_ssp.registry import (
    ModelCard,
    Remote,
    export_steps,
    find_card,
    import_checkpoint,
    save_model,
)
from napari_ssp.registry.weights import build_network
from napari_ssp.service import (
    FinishTrainingRequest,
    ModelService,
    PredictRequest,
    Refinement,
    SegmentRequest,
    Thresholds,
    TrainingState,
    TrainRequest,
    TrainStructuresRequest,
    as_command,
    as_script,
    find_members,
)
from napari_ssp.service.provenance import describe_run
from napari_ssp.service.training import train_steps
from napari_ssp.training.records import load_state, save_state
from napari_ssp.training.run_files import BEST_FILE, CHECKPOINT_FILE

FILES = Path(__file__).resolve().parent / "files"
HERE = "@HERE@"
_PACKED = {".safetensors", ".pt", ".zip"}


def thin(value: Any, count: int = 2) -> Any:
    """Repeat the first numbers of each tensor; shapes, types and strides stay."""
    if isinstance(value, dict):
        return type(value)((key, thin(item, count)) for key, item in value.items())
    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.ndim == 0:
        return value
    new = torch.empty_like(value)
    first = value.flatten()[:count]
    repeats = -(-new.numel() // len(first))
    new.as_strided((new.numel(),), (1,)).copy_(first.repeat(repeats)[: new.numel()])
    return new


def discs(seed: int, size: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Image of bright discs and its labels."""
    y, x = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.int32)
    centres = [(cy, cx) for cy in range(12, size - 8, 20) for cx in range(12, size - 8, 20)]
    for identity, (cy, cx) in enumerate(centres, 1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= (4 + (identity + seed) % 4) ** 2] = identity
    return ((labels > 0) * 150 + (y + seed * x) % 16 * 2).astype(np.uint8), labels


def stack(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Stack with a pattern."""
    grid = np.indices(shape)
    return (100 + 50 * ((grid[-1] // 4 + grid[-2] // 4 + grid[-3] + seed) % 4)).astype(np.uint16)


def models() -> None:
    """Installed models: cells, structures, and a network that is run as it is."""
    for values in (CELLS_CARD, STRUCTURES_CARD):
        torch.manual_seed(0)
        card = ModelCard(**values, sha256="")
        network = build_network(card)
        network.load_state_dict(thin(network.state_dict(), 16))
        save_model(network, card, Path("cache/models") / card.name)
    import_checkpoint(program_package(), trusted=True)


def program_package() -> Path:
    """BioImage.IO package whose network, in TorchScript, doubles a grey image."""
    program = torch.jit.ScriptModule()
    program.define("def forward(self, x):\n    return 2 * x\n")
    buffer = BytesIO()
    torch.jit.save(program, buffer)
    space = [{"type": "space", "id": a, "size": {"min": 8, "step": 4}} for a in "yx"]
    axes = [{"type": "batch"}, {"type": "channel", "channel_names": ["grey"]}, *space]
    example = np.arange(128, dtype=np.float32).reshape(1, 1, 8, 16)
    clip = {"id": "clip", "kwargs": {"min": 0.0, "max": 500.0}}
    scale = {"id": "scale_linear", "kwargs": {"gain": 1.0, "offset": 0.5}}
    content = {
        "format_version": "0.5.4",
        "type": "model",
        "name": "doubled it",
        "description": "Doubles.",
        "license": "MIT",
        "cite": [{"text": "A paper", "doi": "10.1/1"}],
        "inputs": [
            {"id": "raw", "axes": axes, "test_tensor": {"source": "in.npy"}}
            | {"preprocessing": [scale]}
        ],
        "outputs": [
            {"id": "twice", "axes": axes, "test_tensor": {"source": "out.npy"}}
            | {"postprocessing": [clip]}
        ],
        "weights": {"torchscript": {"source": "w.pt", "pytorch_version": "2.6.0"}},
    }
    path = Path("packages/doubled.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rdf.yaml", json.dumps(content))
        archive.writestr("w.pt", buffer.getvalue())
        for name, values in (("in.npy", example), ("out.npy", 2 * (example + 0.5))):
            held = BytesIO()
            np.save(held, values)
            archive.writestr(name, held.getvalue())
    return path


def packages() -> None:
    """A model in one file, as it is passed on."""
    drive(export_steps("tiny-structures", Path("packages/tiny-structures.zip")))


def cards() -> None:
    """A card with every entry; those of trained models are added by the runs."""
    folder = Path("cards/every-field")
    folder.mkdir(parents=True)
    ModelCard(**EVERY_FIELD_CARD, remote=Remote(**REMOTE)).write(folder)


def catalogues() -> None:
    """A lab's catalogue in a folder, one from an address, and the list of both."""
    lab = Path("lab")
    own = lab / "lab-cells"
    own.mkdir(parents=True)
    replace(find_card("tiny-cells"), name="lab-cells").write(own)
    every = ModelCard(**EVERY_FIELD_CARD, remote=Remote(**REMOTE))
    ensemble = ModelCard(**ENSEMBLE_CARD)
    write_catalogue(lab / "catalogue.json", every, ensemble)
    copy = _copy_of(ADDRESS)
    copy.parent.mkdir(parents=True)
    write_catalogue(copy, replace(every, name="far-field"))
    _remember([str(lab.resolve()), ADDRESS])


def write_catalogue(path: Path, *offered: ModelCard) -> None:
    content = {"models": [json.loads(card.text()) for card in offered]}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def downloads() -> None:
    """A download that was broken off."""
    Path("downloads").mkdir()
    part = PartialFile(Path("downloads/model.pth"), "https://lab.example.org/model.pth")
    part.note('"version-1"', 4096)
    part.file.write_bytes(b"begun ")


def training_data() -> None:
    """Training sets as the Train dock collects them, and tables of their files."""
    cells = TrainingSet(Path("training/cells"))
    for number, name in enumerate(("first", "second")):
        image, labels = discs(number)
        labels[:, -10:] = -number  # not annotated in the second
        size = (1.0, 0.5, 0.5)
        cells.add(name, MicroscopyImage(image, "yx", size), MicroscopyImage(labels, "yx", size))
    structures = TrainingSet(Path("training/tubulin"), "structures")
    for number, name in enumerate(("near", "far")):
        pixels = stack(number, (16, 32, 64))
        pair = (MicroscopyImage(p, "zyx", (0.29,) * 3) for p in (pixels, 400 - pixels))
        structures.add(name, *pair)
    tables = Path("tables")
    tables.mkdir()
    (tables / "cells.csv").write_text(
        "image;label;channel;split\n"
        "../training/cells/images/first.tif;../training/cells/labels/first_label.tif;0;train\n"
        "../training/cells/images/second.tif;../training/cells/labels/second_label.tif;;val\n"
    )
    (tables / "structures.csv").write_text(
        "signal,target,task,channel_signal,channel_target,split,description\n"
        "../training/tubulin/signal/near.tif,../training/tubulin/target/near.tif,tubulin,0,,train,"
        "Microtubules\n"
        "../training/tubulin/signal/far.tif,../training/tubulin/target/far.tif,tubulin,,,val,\n"
    )


def prepared() -> None:
    """A collection of stacks, and what it became for training."""
    tables, images = Path("collection/tables"), Path("collection/images/lamin_b1")
    for folder in (tables, images):
        folder.mkdir(parents=True)
    for number in range(7):
        pixels = np.stack([stack(number + channel, (3, 16, 16)) for channel in range(3)])
        write_image(images / f"{number}.ome.tif", MicroscopyImage(pixels, "czyx", (0.29, 0.1, 0.1)))
    for name, target in (("lamin_b1", 0), ("dna", 1)):
        rows = [f"data/lamin_b1/{k}.ome.tif,2,{target}" for k in range(7)]
        text = "\n".join(["path_czi,channel_signal,channel_target", *rows, ""])
        (tables / f"{name}.csv").write_text(text)
    words = "data prepare structures --csv collection/tables --images collection/images -o prepared"
    call(*words.split(), "--zoom", "1", "0.5", "0.5")


def call(*words: str) -> None:
    result = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output


def images_and_results() -> None:
    """Images, and what the commands and the docks write of them."""
    Path("images").mkdir()
    tifffile.imwrite(IMAGE, discs(0)[0], photometric="minisblack", compression="zlib")
    write_image(Path(STACK), MicroscopyImage(stack(0, (18, 40, 44)), "zyx", (0.29, 0.29, 0.29)))
    words = ("-o", "results", "--model", "tiny-cells", "--device", "cpu", "--json")
    call("segment", IMAGE, *words, "results/segment.json", "--region", "0", "24", "8", "40")
    words = ("-o", "results", "--model", "tiny-structures", "--device", "cpu", "--task", "dna")
    call(
        "predict",
        STACK,
        *words,
        "--json",
        "results/predict.json",
        "--z-range",
        "0",
        "4",
        "--region",
        "0",
        "16",
        "0",
        "16",
    )
    labels = discs(0)[1]
    folder = Path("results")
    size = (2.0, 0.5, 0.25)
    write_labels(folder / "cells_found.tiff", labels, axes="yx", voxel_size=size)
    write_labels(folder / "cells.zarr", labels, axes="yx", voxel_size=size)
    colours = np.stack([discs(k)[0][:40, :40] for k in range(3)], axis=-1)
    write_image(folder / "colours.zarr", MicroscopyImage(colours, "yxc", rgb=True))
    image = MicroscopyImage(stack(0, (2, 3, 32, 32)), "czyx", size, ("signal", "dna µ"))
    write_image(folder / "stack.ome.zarr", image)
    write_image(folder / "stack.ome.tif", image)
    write_labels(
        folder / "stack.ome.zarr/labels/cells", np.asarray(image.data)[0] // 50, axes="zyx"
    )


def requests() -> None:
    """Provenance as it stands on layers and in reports, with command and script."""
    Path("requests").mkdir()
    in_memory = MicroscopyImage(np.zeros((3, 40, 50), np.uint8), "zyx", name="layer µ")
    made = {
        "segment-defaults": SegmentRequest(IMAGE, "tiny-cells"),
        "segment-every-field": SegmentRequest(Path(IMAGE), **SEGMENT),
        "segment-layer": SegmentRequest(in_memory, "tiny-cells"),
        "segment-array": SegmentRequest(np.zeros((40, 50), np.float32), "tiny-cells"),
        "predict-defaults": PredictRequest(STACK, ("dna",), "tiny-structures"),
        "predict-every-field": PredictRequest(STACK, **PREDICT),
        "predict-layer": PredictRequest(in_memory, TASKS, "tiny-structures"),
    }
    for name, request in made.items():
        is_cells = isinstance(request, SegmentRequest)
        card = find_members(request.model)[0] if is_cells else find_card(request.model)
        record = json.loads(json.dumps(describe_run(request.provenance(), card, "cpu", 1.5)))
        image = None if isinstance(record["request"]["image"], str) else IMAGE
        content = {
            "provenance": record,
            "command": as_command(record, image, "out"),
            "script": as_script(record, image),
        }
        write_json(Path("requests") / f"{name}.json", content)


def refined() -> None:
    """Provenance of a result whose thresholds were changed after the run."""
    request = SegmentRequest(IMAGE, "tiny-cells", region=(0, 24, 8, 40), device="cpu")
    with ModelService() as service:
        segmentation = service.submit(request).result()
    chosen = Thresholds(**REFINED)
    record = drive(Refinement(segmentation).steps(chosen)).provenance
    content = {
        "provenance": record,
        "command": as_command(record, None, "out"),
        "script": as_script(record),
    }
    write_json(Path("requests/segment-refined.json"), content)


def training_requests() -> None:
    """Requests of trainings as they stand in the folders of runs."""
    made = {
        "train-defaults": TrainRequest(**TRAIN_DATA, output=Path("run")),
        "train-every-field": TrainRequest(**TRAIN, output=Path("run")),
        "structures-defaults": TrainStructuresRequest(**TRAIN_STRUCTURES_DATA, output=Path("run")),
        "structures-every-field": TrainStructuresRequest(**TRAIN_STRUCTURES, output=Path("run")),
    }
    for name, request in made.items():
        Path("run").mkdir()
        write_request(request)
        target = Path("requests") / name
        Path("run").replace(target)


def configurations() -> None:
    """Configurations: a person's own, and what the shipped ones say."""
    folder = Path("configurations")
    folder.mkdir()
    write_json(folder / "own.json", CONFIGURATION)
    for name in recipe_names():
        write_json(folder / f"{name}.json", read_recipe(name))


def write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def runs() -> None:
    """Runs that were stopped after two of four steps, and one that is over."""
    here = Path().resolve()
    few = {"steps": 4, "batch_size": 2, "install": "never", "device": "cpu"}
    cells = {"data": (here / "training/cells",), "minutes": None, "crop": 32, **few}
    network = {"encoder": CELLS["encoder"], "pab_channels": CELLS["pab_channels"]}
    network["decoder_channels"] = tuple(CELLS["decoder_channels"])
    place = here / "cache/runs"
    begun = {
        "cells": TrainRequest(**cells, **network, output=place / "cells-20261129-120000"),
        "lora": TrainRequest(
            **cells, output=place / "lora-20261129-120000", base="tiny-cells", trainable="lora"
        ),
        "tubulin": TrainStructuresRequest(
            (here / "training/tubulin",),
            place / "tubulin-20261129-120000",
            validation=(here / "tables/structures.csv",),
            base="tiny-structures",
            like="dna",
            crop=(16, 32, 32),
            recipe="few-images",
            **few,
        ),
    }
    for name, request in begun.items():
        is_cells = isinstance(request, TrainRequest)
        stop(train_steps(request) if is_cells else train_structures_steps(request))
        for events in request.output.glob("events.*"):
            events.unlink()
        keep_card(request.output, Path("cards") / f"trained-{name}")
        for file in (CHECKPOINT_FILE, BEST_FILE):
            state = load_state(request.output / file)
            if state is not None:
                save_state(request.output / file, thin(state))
    over = TrainRequest(**cells, output=place / "over-20261129-120000", name="over")
    over.output.mkdir()
    write_request(over)
    mark_ended(over.output)


def stop(steps: Any) -> None:
    for progress in steps:
        if isinstance(progress.preview, TrainingState) and progress.preview.step == 2:
            break
    steps.close()


def keep_card(run: Path, target: Path) -> None:
    """Card of the model that a copy of a run becomes."""
    copy = run.with_name(f"{run.name}-finished")
    shutil.copytree(run, copy)
    text = (copy / "request.json").read_text()
    (copy / "request.json").write_text(text.replace(run.name, copy.name))
    drive(finish_steps(FinishTrainingRequest(copy)))
    target.mkdir()
    (copy / "card.json").replace(target / "card.json")
    shutil.rmtree(copy)


def pack(root: Path) -> None:
    """Put the written files into ``files``: paths as a word, long files packed."""
    shutil.rmtree(FILES, ignore_errors=True)
    shutil.rmtree(root / "cache/numba", ignore_errors=True)
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        target = FILES / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes().replace(str(root).encode(), HERE.encode())
        if path.suffix in _PACKED:
            assert data == path.read_bytes(), path
            target = target.with_name(f"{target.name}.xz")
            data = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
        target.write_bytes(data)


def write_all() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        os.chdir(root)
        os.environ["NAPARI_SSP_CACHE"] = "cache"  # a model in one file tells its place
        Path("packages").mkdir()
        for write in (
            models,
            packages,
            cards,
            catalogues,
            downloads,
            training_data,
            prepared,
            images_and_results,
            requests,
            refined,
            training_requests,
            configurations,
            runs,
        ):
            write()
            print(write.__name__, file=sys.stderr)
        pack(root)
        os.chdir("/")


if __name__ == "__main__":
    write_all()
