from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch

from napari_ssp.networks import RepMode
from napari_ssp.progress import run as drive
from napari_ssp.registry import find_card, load_model
from napari_ssp.service import FinishTrainingRequest, ModelService, TrainStructuresRequest
from napari_ssp.service.training.steps import train_steps
from napari_ssp.training.state import TrainingState

if TYPE_CHECKING:
    from napari_ssp.service.training.conclusion import TrainedModel

SHAPE = (16, 40, 176)


def _write(folder: Path, task: str, stacks: int = 2, **meta: Any) -> Path:
    rng = np.random.default_rng(len(task))
    for part in ("signal", "target"):
        (folder / task / part).mkdir(parents=True)
    for k in range(stacks):
        signal = rng.integers(0, 200, SHAPE).astype(np.uint8)
        for part, pixels in (("signal", signal), ("target", 255 - signal)):
            path = folder / task / part / f"s{k}.tif"
            tifffile.imwrite(path, pixels, photometric="minisblack", **meta)
    return folder / task


def _request(data: Path, base: Path, **choices: Any) -> TrainStructuresRequest:
    few = {"crop": (16, 32, 32), "batch_size": 2, "steps": 3, "recipe": "few-images"}
    output = data.parent / "run"
    return TrainStructuresRequest((data,), output, base=str(base), **{**few, **choices})


def _outputs(model: Path, tasks: range) -> list[torch.Tensor]:
    network = load_model(model)
    assert isinstance(network, RepMode)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 16, 32, 32))).float()
    with torch.inference_mode():
        return [network(x, torch.tensor([task])) for task in tasks]


@pytest.mark.parametrize("own", [True, False])
def test_a_new_structure_joins_the_others_and_leaves_them_as_they_are(
    tmp_path: Path, tiny_structures: Path, own: bool
) -> None:
    data = _write(tmp_path, "actin")
    seen = []
    steps = train_steps(_request(data, tiny_structures, own_expert=own, install="never"))
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as stop:
            model: TrainedModel = stop.value
            break
    card = find_card(model.folder)
    assert card.tasks == ("dna", "lamin_b1", "nucleoli", "actin")
    assert card.network.get("own_experts") == ([3] if own else None)
    assert card.task_descriptions == {"dna": "DNA in the nucleus"}
    assert set(card.target_statistics) == {"dna", "actin"}
    assert card.voxel_size == (0.29, 0.29, 0.29)
    before, after = _outputs(tiny_structures, range(3)), _outputs(model.folder, range(4))
    for old, now in zip(before, after[:3], strict=True):
        assert torch.equal(old, now)
    assert not any(torch.equal(after[3], old) for old in before)
    assert model.is_better is not None
    assert set(model.base_metrics) == set(model.metrics)
    assert "Correlation" in model.sentence
    previews = [s.preview.preview for s in seen if isinstance(s.preview, TrainingState)]
    name, image, truth, found = next(p for p in reversed(previews) if p)
    assert (name, image.shape, truth.shape, found.shape) == ("s0", *[(40, 35)] * 3)


def test_structures_are_learned_one_after_the_other(tmp_path: Path, tiny_structures: Path) -> None:
    first = _request(_write(tmp_path / "a", "actin"), tiny_structures, install="never")
    model = drive(train_steps(first))
    second = _request(_write(tmp_path / "b", "tubulin"), model.folder, install="never")
    last = drive(train_steps(second))
    assert find_card(last.folder).network["own_experts"] == [3, 4]
    for old, now in zip(
        _outputs(model.folder, range(4)), _outputs(last.folder, range(4)), strict=True
    ):
        assert torch.equal(old, now)


def test_known_structures_are_trained_further(tmp_path: Path, tiny_structures: Path) -> None:
    request = _request(_write(tmp_path, "dna"), tiny_structures, install="always", name="finer")
    with ModelService() as service:
        model = service.submit(request).result()
    assert model.installed
    card = find_card("finer")
    assert card.tasks == ("dna", "lamin_b1", "nucleoli")
    assert card.network == {"num_tasks": 3, "base_channels": 2}
    after = _outputs(model.folder, range(3))
    for old, now in zip(_outputs(tiny_structures, range(3)), after, strict=True):
        assert not torch.equal(old, now)


def test_a_stopped_run_becomes_a_model(tmp_path: Path, tiny_structures: Path) -> None:
    request = _request(_write(tmp_path, "actin"), tiny_structures, steps=1000, like="dna")
    steps = train_steps(request)
    for progress in steps:
        if isinstance(progress.preview, TrainingState) and progress.preview.step == 2:
            break
    steps.close()
    with ModelService() as service:
        model = service.submit(FinishTrainingRequest(request.output, "never")).result()
    assert find_card(model.folder).tasks[-1] == "actin"
    assert not model.installed


@pytest.mark.parametrize(
    ("tasks", "choices", "message"),
    [
        (("actin", "tubulin"), {}, "learned one after the other"),
        (("actin", "dna"), {}, "which is new to 'tiny-structures', and dna, which it knows"),
        (("actin",), {"like": "rna"}, "does not know the structure 'rna'"),
        (("actin",), {"voxel_size": (1.0, 0.29, 0.29)}, r"voxels of 1 × 0.29 × 0.29 µm"),
    ],
)
def test_what_cannot_be_added_is_refused(
    tmp_path: Path,
    tiny_structures: Path,
    tasks: tuple[str, ...],
    choices: dict[str, Any],
    message: str,
) -> None:
    folders = [_write(tmp_path, task, stacks=1) for task in tasks]
    request = _request(folders[0], tiny_structures, **choices)
    several = TrainStructuresRequest(**{**vars(request), "data": tuple(folders)})
    with pytest.raises(ValueError, match=message):
        drive(train_steps(several))
    assert not (request.output / "weights.safetensors").exists()


def test_a_model_of_cells_is_no_base(tmp_path: Path) -> None:
    request = _request(_write(tmp_path, "actin", stacks=1), Path("mediar-starter"))
    with pytest.raises(ValueError, match="'mediar-starter' is no RepMode of its own"):
        drive(train_steps(request))


def test_several_processes_are_refused(
    tmp_path: Path, tiny_structures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(ValueError, match="one process, but this is one of 2"):
        drive(train_steps(_request(_write(tmp_path, "actin"), tiny_structures)))
