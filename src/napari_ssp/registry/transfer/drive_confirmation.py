"""Google Drive's page for large files: "cannot be scanned for viruses, download anyway?"."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

_FORM = "download-form"
_DRIVE = (".google.com", ".googleusercontent.com")


def find_confirmed_address(page: str, url: str) -> str:
    """Address that the page's button leads to.

    Parameters
    ----------
    page : str
        The page.
    url : str
        Where it came from.

    Returns
    -------
    str
        Empty when it is another page, or leads to another site or away from encryption.
    """
    form = _Form()
    form.feed(page)
    if not form.action or not form.values:
        return ""
    target = urljoin(url, form.action)
    here, there = urlsplit(url), urlsplit(target)
    if here.scheme != there.scheme or not _is_same_site(here.hostname or "", there.hostname or ""):
        return ""
    return f"{target.partition('?')[0]}?{urlencode(form.values)}"


def _is_same_site(here: str, there: str) -> bool:
    return here == there or (here.endswith(_DRIVE) and there.endswith(_DRIVE))


class _Form(HTMLParser):
    """The form of the button, and its hidden values."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.values: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take up the form's address and its values."""
        said = {key: value or "" for key, value in attrs}
        if tag == "form":
            self._inside = said.get("id") == _FORM
            self.action = said.get("action", "") if self._inside else self.action
        elif tag == "input" and self._inside and said.get("name"):
            self.values[said["name"]] = said.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Leave the form."""
        self._inside = self._inside and tag != "form"
