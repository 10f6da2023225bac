from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]


def test_the_starter_is_listed(call: Call) -> None:
    result = call("models", "list", "--json", "-")
    names = [card["name"] for card in json.loads(result.stdout)["models"]]
    assert names[0] == "mediar-starter"
    assert "mediar-starter" in call("models", "list").stdout


def test_a_card_is_shown(call: Call, tiny_model: Path) -> None:
    card = json.loads(call("models", "info", tiny_model, "--json", "-").stdout)
    assert card["window"] == [64, 64]
    assert "tu-resnet18d" in call("models", "info", tiny_model).stdout


def test_an_unknown_model_is_bad_use(call: Call) -> None:
    result = call("models", "info", "mediar-startr")
    assert result.exit_code == 2
    assert "mediar-starter" in result.stderr


def test_info_names_versions_devices_and_cache(call: Call) -> None:
    report = json.loads(call("info", "--json", "-").stdout)
    assert {"python", "torch", "napari-ssp"} <= set(report["versions"])
    assert report["devices"][-1]["name"] == "cpu"
    assert report["cache"]
    assert "device cpu" in call("info").stdout
