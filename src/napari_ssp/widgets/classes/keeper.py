"""Keeper of examples of classes: those of a layer are found again, and kept as one goes."""

from __future__ import annotations

from typing import Any

from napari_ssp.service.classes.examples import Examples
from napari_ssp.service.classes.files import FindExamplesRequest, KeepExamplesRequest
from napari_ssp.widgets.review.keeper import Keeper


class ExampleKeeper(Keeper):
    """Examples among the objects of one labels layer."""

    find_request = FindExamplesRequest
    keep_request = KeepExamplesRequest

    @property
    def examples(self) -> Examples:
        """Examples that are known."""
        examples: Examples = self.value
        return examples

    def nothing(self) -> Examples:
        """No examples, and no classes."""
        return Examples()

    def join(self, found: Any, said: Any) -> Examples:
        """All examples; of two about an object the newer one."""
        joined: Examples = said.joined(found)
        return joined

    def without(self, value: Any, numbers: frozenset[int] | None) -> Examples:
        """Examples of objects of other numbers; what was measured of the rest goes on teaching."""
        examples: Examples = value
        return examples.without(numbers)
