"""The package page, the conda recipe and the citation say what pyproject.toml says."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
#: Names of packages where conda-forge's differ from PyPI's.
CONDA = {"dask": "dask-core", "matplotlib": "matplotlib-base", "torch": "pytorch"}
README = "![A dock](docs/images/a.png)\n\nSee [its page](docs/a.md), [napari](https://napari.org)."


@pytest.fixture(scope="module")
def package_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_and_links_of_the_package_page_lead_to_the_release(
    package_page: ModuleType,
) -> None:
    home = "https://host/owner/napari-ssp"
    assert package_page.page(README, home, "v1.2.3") == (
        f"![A dock]({home}/raw/v1.2.3/docs/images/a.png)\n\n"
        f"See [its page]({home}/blob/v1.2.3/docs/a.md), [napari](https://napari.org)."
    )
    assert package_page.addresses(home)["Source"] == home


def test_a_package_page_without_a_home_has_no_address(package_page: ModuleType) -> None:
    page = package_page.page(README, "", "v1.2.3")
    assert page == "See its page, [napari](https://napari.org)."
    assert package_page.addresses("") == {}


@pytest.mark.parametrize("page", ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_files_that_pages_at_the_top_show_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    paths = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_extra_all_holds_what_users_can_choose() -> None:
    extras = PROJECT["optional-dependencies"]
    (everything,) = (Requirement(text) for text in extras["all"])
    assert everything.extras == set(extras) - {"all", "dev", "docs"}


def test_the_conda_recipe_asks_for_the_same_packages() -> None:
    recipe = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8"))
    found = [text.split(maxsplit=1) for text in recipe["requirements"]["run"]]
    wanted = [Requirement(text) for text in PROJECT["dependencies"]]
    assert sorted(found) == sorted(
        [[CONDA.get(need.name, need.name), str(need.specifier)] for need in wanted]
        + [["python", PROJECT["requires-python"]]]
    )
    assert recipe["context"]["version"] == PROJECT["version"]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    cited = " ".join(reference["title"] for reference in citation["references"])
    assert all(method in cited for method in ("MEDIAR", "Cellpose", "RepMode", "KnowledgeExp"))
