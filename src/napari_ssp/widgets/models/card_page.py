"""A model's card as a page; a plain widget."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QTextBrowser, QWidget

from napari_ssp.registry import card_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_ssp.registry import ModelCard

_HEIGHT = 340
#: What the user looks for last.
_SMALL_PRINT = ("network", "sha256", "file", "found at")


class CardView(QTextBrowser):
    """Readable card of a model. Setter in: ``set_card``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumHeight(_HEIGHT)
        self.setOpenExternalLinks(True)
        self.setAcceptDrops(False)

    def set_card(self, card: ModelCard | None) -> None:
        """Show a card, from its beginning; None shows nothing."""
        page = card_page(card) if card is not None else ""
        if page != self._page:
            self._page = page
            self.setHtml(page)

    _page = ""


def card_page(card: ModelCard) -> str:
    """Card as HTML; nothing of what the card says is taken for HTML."""
    lines = card_lines(card)
    predicted = [(f"{label[9:]}", text) for label, text in lines if label.startswith("predicts ")]
    figures = [line for line in lines if line[0] in card.figures]
    small = [line for line in lines if line[0] in _SMALL_PRINT]
    named = {"name", "what it is", *_SMALL_PRINT, *card.figures}
    facts = [ln for ln in lines if ln[0] not in named and not ln[0].startswith("predicts ")]
    return (
        f"<h3>{escape(card.name)}</h3><p>{escape(card.description)}</p>"
        + _table("Predicts", predicted)
        + _table("Measured quality", figures)
        + _table("About", facts)
        + _table("Details", small)
    )


def _table(title: str, lines: Iterable[tuple[str, str]]) -> str:
    rows = "".join(
        f"<tr><td style='padding-right: 10px'><i>{escape(label)}</i></td><td>{_linked(text)}</td>"
        "</tr>"
        for label, text in lines
    )
    heading = f"<h4>{title}</h4>" if title else ""
    return f"{heading}<table cellpadding='2'>{rows}</table>" if rows else ""


def _linked(text: str) -> str:
    """Escaped text, as a link where it is an address of the web and nothing else."""
    shown = escape(text)
    if text.startswith(("https://", "http://")) and " " not in text:
        return f'<a href="{shown}" style="color: #6fa8ff">{shown}</a>'
    return shown
