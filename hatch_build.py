"""Package page of napari-ssp: its addresses, and a README whose pictures and links work there.

The repository's address stands once, in pyproject.toml. While it is empty the page has no
addresses, and what the README shows of the repository's files is left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PICTURE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?!https?://)(?P<path>[^)]+)\)\n*")
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?!https?://|#)(?P<path>[^)]+)\)")


class PackagePage(MetadataHookInterface):
    """What hatchling asks for the fields that pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in addresses and README."""
        repository = str(self.config["repository"]).rstrip("/")
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        shown = page(readme, repository, f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": shown}
        metadata["urls"] = addresses(repository)


def addresses(repository: str) -> dict[str, str]:
    """Addresses beside the package, as GitHub lays them out; none while the home is unknown."""
    if not repository:
        return {}
    return {
        "Source": repository,
        "Issues": f"{repository}/issues",
        "Changelog": f"{repository}/blob/HEAD/CHANGELOG.md",
    }


def page(readme: str, repository: str, tag: str) -> str:
    """Point a README's pictures and links at the files of a release, or do without them."""
    picture, link = "", r"\g<text>"
    if repository:
        picture = rf"![\g<text>]({repository}/raw/{tag}/\g<path>)\n\n"
        link = rf"[\g<text>]({repository}/blob/{tag}/\g<path>)"
    return _LINK.sub(link, _PICTURE.sub(picture, readme))
