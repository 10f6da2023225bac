from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_ssp.networks import RepMode

if TYPE_CHECKING:
    from pathlib import Path

THINNED = (..., *[slice(None, None, 3)] * 3)


@pytest.fixture(scope="module")
def goldens(reference: Path) -> Any:
    return np.load(reference / "forward_repmode_shared.npz")


def _network(width: int) -> RepMode:
    from seeded_weights import seeded_state_dict

    network = RepMode(base_channels=width)
    network.load_state_dict(seeded_state_dict(network, 0), strict=True)
    return network.eval()


def _input(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    from seeded_weights import seeded_input

    return torch.from_numpy(seeded_input(name, shape, 0))


@pytest.mark.parametrize("width", [1, 4, 8])
def test_keys_and_shapes_are_those_of_the_checkpoints(reference: Path, width: int) -> None:
    facts = json.loads((reference / "checkpoints.json").read_text())["repmode"]
    shapes = {key: list(v.shape) for key, v in RepMode(base_channels=width).state_dict().items()}
    assert shapes == {entry[0]: entry[1] for entry in facts["variants"][str(width)]}


@pytest.mark.parametrize("task", [0, 5, 11])
def test_forward_and_merged_are_the_original(goldens: Any, task: int) -> None:
    network = _network(4)
    golden = goldens[f"m4_1x1x16x32x32_t{task}_every3"]
    x = _input("repmode", (1, 1, 16, 32, 32))
    with torch.inference_mode():
        output = network(x, torch.tensor([task])).numpy()
        merged = network.merge(task)(x).numpy()
    np.testing.assert_allclose(output[THINNED], golden, atol=1e-4 * golden.std())
    np.testing.assert_allclose(merged[THINNED], golden, atol=1e-4 * golden.std())


def test_a_mixed_batch_gives_each_sample_its_own_kernel(goldens: Any) -> None:
    """The original takes the first sample's kernel for all of them in evaluation."""
    network = _network(4)
    x = _input("repmode_train", (2, 1, 16, 32, 32))
    with torch.inference_mode():
        output = network(x, torch.tensor([3, 7])).numpy()
    golden = goldens["eval_persample_m4_every3"]
    np.testing.assert_allclose(output[THINNED], golden, atol=1e-4 * golden.std())


def test_a_training_step_is_the_original(reference: Path, goldens: Any) -> None:
    facts = json.loads((reference / "forward_shared.json").read_text())["repmode"]
    wanted = next(entry for entry in facts if entry["name"] == "train_m4")
    network = _network(4).train()
    output = network(_input("repmode_train", (2, 1, 16, 32, 32)), torch.tensor([3, 7]))
    loss = (output - _input("repmode_target", (2, 1, 16, 32, 32))).square().mean()
    loss.backward()
    golden = goldens["train_m4_output_every3"]
    np.testing.assert_allclose(output.detach().numpy()[THINNED], golden, atol=1e-3 * golden.std())
    assert loss.item() == pytest.approx(wanted["loss"], rel=1e-4)
    parameters = dict(network.named_parameters())
    for name, norm in wanted["grad_norm"].items():
        gradient = parameters[name].grad
        assert gradient is not None
        assert float(gradient.norm()) == pytest.approx(norm, rel=2e-2), name
    for name, mean in wanted["running_mean_after"].items():
        np.testing.assert_allclose(network.state_dict()[name], mean, atol=1e-4)


def test_gates_sum_to_one_over_the_experts() -> None:
    layer = _network_of_noise().get_submodule("conv_out")
    torch.testing.assert_close(layer.gates(1).sum(dim=0), torch.ones(1))  # type: ignore[operator]


def _network_of_noise() -> RepMode:
    torch.manual_seed(0)
    return RepMode(num_tasks=3, base_channels=2).eval()


@pytest.mark.parametrize(
    ("shape", "tasks", "words"),
    [
        ((1, 1, 16, 24, 16), [0], r"\(16, 24, 16\)"),
        ((1, 1, 16, 16, 16), [3], r"0 to 2"),
        ((1, 1, 16, 16, 16), [-1], r"0 to 2"),
        ((1, 1, 16, 16, 16), [0, 1], r"1 samples"),
    ],
)
def test_bad_input_is_refused(shape: tuple[int, ...], tasks: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _network_of_noise()(torch.zeros(shape), torch.tensor(tasks))


def test_an_unknown_task_cannot_be_merged() -> None:
    with pytest.raises(ValueError, match="Task 3 does not exist"):
        _network_of_noise().merge(3)


@pytest.mark.parametrize("has_own_expert", [False, True])
def test_an_added_task_leaves_the_others_as_they_are_to_the_bit(has_own_expert: bool) -> None:
    network = _network(2)
    longer = network.extended(4, has_own_expert)
    x, tasks = _input("repmode_train", (2, 1, 16, 32, 32)), torch.tensor([3, 7])
    with torch.inference_mode():
        assert torch.equal(longer(x, tasks), network(x, tasks))
        assert torch.equal(longer.merge(7)(x), network.merge(7)(x))
        begun, wanted = longer(x[:1], torch.tensor([12])), network(x[:1], torch.tensor([4]))
    torch.testing.assert_close(begun, wanted, rtol=1e-4, atol=1e-4 * float(wanted.std()))
    assert (longer.num_tasks, network.num_tasks) == (13, 12)


def test_an_own_expert_counts_for_its_task_alone() -> None:
    longer = _network(2).extended(4).extended(12)
    x = _input("repmode", (1, 1, 16, 32, 32))

    def outputs() -> list[torch.Tensor]:
        with torch.inference_mode():
            return [longer(x, torch.tensor([task])) for task in (0, 12, 13)]

    before = outputs()
    with torch.no_grad():
        longer.get_parameter("bottle_block.conv1.expert_task12_conv").normal_()
    after = outputs()
    assert torch.equal(after[0], before[0])
    assert torch.equal(after[2], before[2])
    assert not torch.equal(after[1], before[1])
    torch.testing.assert_close(before[2], before[1], rtol=1e-4, atol=1e-4 * float(before[1].std()))


def test_a_network_with_own_experts_is_made_of_its_arguments() -> None:
    longer = _network(1).extended(0)
    again = RepMode(13, 1, own_experts=(12,))
    again.load_state_dict(longer.state_dict(), strict=True)
    assert longer.gates(12)["bottleneck"].shape == (6, 32)
    assert longer.gates(11)["bottleneck"].shape == (5, 32)
    with pytest.raises(ValueError, match="Task 13 does not exist"):
        longer.extended(13)
