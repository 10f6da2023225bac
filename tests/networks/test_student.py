"""Student and teacher of the published system: what they are made of, and what they compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_ssp.networks import Student, Teacher
from napari_ssp.networks.arguments import check_arguments

TINY = {"size": 32, "width": 12, "depth": 1, "heads": 3}


def _count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("make", "arguments", "parameters"),
    [
        (Student, {}, 85_591_569),
        (Student, {"architecture": "swin", "width": 24, "depth": 2, "heads": 3}, 7_183_483),
        (Teacher, {}, 390_679),
        (Teacher, {"architecture": "vit", "width": 768, "depth": 12}, 85_592_833),
    ],
)
def test_published_sizes_have_the_parameters_of_the_original(
    make: Any, arguments: dict[str, Any], parameters: int
) -> None:
    # Counted without the memory of 85 million numbers; Swin UNETR cannot be made without them.
    with torch.device("cpu" if "swin" in arguments.values() else "meta"):
        assert _count(make(**arguments)) == parameters


def test_keys_are_those_of_the_networks_of_monai() -> None:
    from monai.networks.nets import Critic, ViTAutoEnc

    student = ViTAutoEnc(1, 32, 16, hidden_size=12, mlp_dim=48, num_layers=1, num_heads=3,
                         spatial_dims=2)  # fmt: skip
    kept = {key: v for key, v in student.state_dict().items() if ".cross_attn." not in key}
    wanted = {f"network.{key}": v.shape for key, v in kept.items()}  # before 1.6 there are more
    assert {k: v.shape for k, v in Student("vit", **TINY).state_dict().items()} == wanted
    teacher = Critic((2, 32, 32), (4, 8), (2, 2))
    wanted = {f"network.{key}": v.shape for key, v in teacher.state_dict().items()}
    made = Teacher("critic", 32, 4, 2)
    assert {k: v.shape for k, v in made.state_dict().items()} == wanted
    rates = {m.p for m in made.modules() if isinstance(m, torch.nn.Dropout)}
    assert rates == {0.25}


@pytest.mark.parametrize("architecture", ["vit", "swin"])
def test_a_student_gives_a_logit_for_each_pixel(architecture: str) -> None:
    torch.manual_seed(0)
    student = Student(architecture, **TINY | {"size": 64}).eval()
    grey = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        logits = student(grey)
        assert logits.shape == (2, 1, 64, 64)
        torch.testing.assert_close(student(grey.expand(-1, 3, -1, -1)), logits)


@pytest.mark.parametrize("architecture", ["critic", "vit"])
def test_a_teacher_gives_one_number_for_each_mask(architecture: str) -> None:
    torch.manual_seed(0)
    teacher = Teacher(architecture, **TINY).eval()
    image, mask = torch.rand(3, 1, 32, 32), torch.rand(3, 1, 32, 32)
    with torch.inference_mode():
        losses = teacher(image, mask)
        assert losses.shape == (3,), "(3, 1) would broadcast a batch against a batch"
        torch.testing.assert_close(teacher(image[1:2], mask[1:2]), losses[1:2])
        assert (teacher(image, 1 - mask) != losses).all()


def test_a_vision_teacher_can_predict_losses_above_one() -> None:
    teacher = Teacher("vit", **TINY).eval()
    head = teacher.network.classification_head
    assert isinstance(head, torch.nn.Linear), "a tanh would keep it below 1"
    torch.nn.init.constant_(head.bias, 7.0)
    with torch.inference_mode():
        assert teacher(torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32)).item() > 2


@pytest.mark.parametrize(
    ("family", "arguments", "words"),
    [
        ("student", {"architecture": "unet"}, "its architecture is 'unet'; known are vit, swin"),
        ("student", {"size": 100}, "its size is 100; a multiple of 16"),
        (
            "student",
            {"architecture": "swin", "size": 48, "width": 24, "heads": 3},
            "multiple of 32 from 64",
        ),
        ("student", {"architecture": "swin", "width": 20, "heads": 2}, "multiple of 12"),
        ("student", {"heads": 7}, "its width of 768 cannot be divided among 7 heads"),
        ("student", {"depth": 10**6}, "its depth is 1000000; 1 to 24 are possible"),
        ("student", {"path": "x"}, "path"),
        ("teacher", {"architecture": "swin"}, "known are critic, vit"),
        ("teacher", {"depth": 9}, "its depth of 9 levels is too much"),
        ("teacher", {"width": 0}, "its width is 0"),
    ],
)
def test_what_cannot_be_is_refused(family: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_arguments(family, arguments)
