"""Download and prepare from the command line, then read what training reads."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_ssp.image import MicroscopyImage
from napari_ssp.io import write_image
from napari_ssp.training.structures.volumes import PreparedVolumes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A server with eight stacks of one structure, and their table."""
    folder = tmp_path / "site" / "data" / "tom20"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(8):
        pixels = rng.integers(90, 900, (2, 4, 20, 20)).astype(np.uint16)
        write_image(folder / f"{k}.ome.tif", MicroscopyImage(pixels, "czyx"))
    rows = [f"data/tom20/{k}.ome.tif,0,1" for k in range(8)]
    lines = ["path_czi,channel_signal,channel_target", *rows]
    (tmp_path / "tom20.csv").write_text("\n".join(lines))
    handler = partial(Quiet, directory=str(tmp_path / "site"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_from_a_server_to_crops(call: Call, site: str, tmp_path: Path) -> None:
    words = ("--csv", tmp_path / "tom20.csv", "--json", "-")
    place = ("-o", tmp_path / "raw", "--base-url", site, "--files")
    result = call("data", "download", "structures", *words, *place)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["fetched"] == 8

    place = ("--images", tmp_path / "raw", "-o", tmp_path / "out")
    result = call("data", "prepare", "structures", *words, *place, "--zoom", 1, 0.5, 0.5)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["pairs"] == {"tom20": {"train": 5, "val": 1, "test": 2}}
    assert "train structures --data" in result.stderr
    pair = PreparedVolumes(tmp_path / "out").split("train")[0]
    assert pair.shape == (4, 10, 10)
    assert pair.signal((slice(0, 2), slice(1, 4), slice(0, 5))).shape == (2, 3, 5)


def test_faults_are_listed(call: Call, site: str, tmp_path: Path) -> None:
    words = ("--csv", tmp_path / "tom20.csv", "-o", tmp_path / "out")
    result = call("data", "prepare", "structures", *words)
    assert result.exit_code == 1
    assert "Error: 8 problems with the files; nothing was written:" in result.stderr
    assert "data/tom20/7.ome.tif: not found" in result.stderr
    (tmp_path / "tom20.csv").write_text("path_czi,channel_signal,channel_target\n")
    for command in ("prepare", "download"):
        result = call("data", command, "structures", *words)
        assert result.exit_code == 2
        assert "tom20.csv: no rows" in result.stderr
    result = call("data", "prepare", "structures", *words, "--zoom", 0, 1, 1)
    assert result.exit_code == 2


def test_a_server_that_is_not_there(call: Call, site: str, tmp_path: Path) -> None:
    words = ("--csv", tmp_path / "tom20.csv", "-o", tmp_path / "raw", "--base-url", f"{site}/none")
    result = call("data", "download", "structures", *words)
    assert result.exit_code == 1
    assert "/none/tom20.tar.gz does not exist (404" in result.stderr
