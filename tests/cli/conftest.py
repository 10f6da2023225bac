"""A way to call commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from napari_ssp.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def call() -> Callable[..., Result]:
    """Run ``napari-ssp`` with the given words."""
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])
