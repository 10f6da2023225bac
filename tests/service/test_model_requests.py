from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from napari_ssp.registry import find_card
from napari_ssp.service import (
    AddCatalogueRequest,
    DownloadModelRequest,
    ExportModelRequest,
    ImportModelRequest,
    ModelService,
    VerifyModelsRequest,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_models_go_through_jobs(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SSP_CACHE", str(tmp_path / "cache"))
    lab = tmp_path / "lab"
    shutil.copytree(tiny_model, lab / "tiny")
    with ModelService() as service:
        package = service.submit(ExportModelRequest(str(tiny_model), tmp_path / "m.zip"))
        card = service.submit(ImportModelRequest(package.result(60), "mine")).result(60)
        assert card == find_card("mine")
        verdicts = service.submit(VerifyModelsRequest(("mine",))).result(60)
        assert [found.state for found in verdicts] == ["ok"]
        again = service.submit(ImportModelRequest(tmp_path / "m.zip", "mine"))
        with pytest.raises(FileExistsError, match="'mine' already"):
            again.result(60)
        offered = service.submit(AddCatalogueRequest(str(lab))).result(60)
        assert [card.name for card in offered] == ["tiny"]
        # Installed already: nothing is downloaded.
        assert service.submit(DownloadModelRequest("mine")).result(60) == card
