"""Published ImageNet weights, from a server on this machine that stands for the real one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from encoder_networks import SMALL, full_network
from safetensors.torch import save

from napari_ssp.networks import MediarFormer
from napari_ssp.progress import run
from napari_ssp.registry.pretrained.loading import load_encoder
from napari_ssp.registry.pretrained.published import fetch_steps, find_published, offer_steps

if TYPE_CHECKING:
    from pathlib import Path

    from download_site import Site


def test_they_are_offered_with_size_and_source_and_downloaded_once(
    site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = site.url.removesuffix("/data/a.czi")
    monkeypatch.setenv("HF_ENDPOINT", server)
    site.content = save(full_network(SMALL).state_dict())
    published = find_published(f"tu-{SMALL}")
    offer = run(offer_steps(published))
    size = f"{len(site.content) / 1e6:.3g} MB, to be downloaded"
    assert offer == f"ImageNet weights from {server}/timm/{SMALL}.r160_in1k ({size})"
    assert not cache.exists()  # only asked for the size
    file = run(fetch_steps(published))
    assert site.paths[-1] == f"/timm/{SMALL}.r160_in1k/resolve/main/model.safetensors"
    assert file.weights.sha256 == hashlib.sha256(site.content).hexdigest()
    assert (file.weights.licence, file.weights.page) == ("apache-2.0", published.page)
    load_encoder(MediarFormer(f"tu-{SMALL}", (8, 8, 8, 8), 4), f"tu-{SMALL}", file)
    asked = len(site.paths)
    assert run(offer_steps(published)).endswith("downloaded before")
    assert run(fetch_steps(published)) == file
    assert len(site.paths) == asked


def test_two_processes_do_not_write_into_the_same_file(
    site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", site.url.removesuffix("/data/a.czi"))
    published = find_published(f"tu-{SMALL}")
    first, second = fetch_steps(published), fetch_steps(published)
    next(first)
    assert next(second).stage.startswith("waiting for another process")
    assert run(first) == run(second)
    assert len(site.paths) == 1


def test_without_a_connection_it_is_said_in_a_sentence_and_nothing_is_left(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    published = find_published(f"tu-{SMALL}")
    for steps in (offer_steps(published), fetch_steps(published)):
        with pytest.raises(ConnectionError) as error:
            run(steps)
        words = str(error.value)
        assert words.startswith(
            f"The ImageNet weights of tu-{SMALL} could not be downloaded: 127.0.0.1 could not be "
            "reached: connection refused."
        )
        assert "as a file" in words
        assert "\n" not in words
    left = [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert not left


def test_where_smp_and_timm_keep_them() -> None:
    mit = find_published("mit_b0")
    assert mit.url.startswith("https://huggingface.co/smp-hub/mit_b0.imagenet/resolve/")
    assert "non-commercial" in mit.licence
    lite = find_published("tu-tf_efficientnet_lite0")
    assert lite.page == "https://huggingface.co/timm/tf_efficientnet_lite0.in1k"
    with pytest.raises(ValueError, match="timm publishes no ImageNet weights of tu-resnet50t"):
        find_published("tu-resnet50t")
