"""Text from elsewhere, as names of files are, made fit to be shown and stored."""

from __future__ import annotations

import unicodedata

_KEPT = "\n\t"
#: Control characters, marks that turn the direction of writing, and bytes that are no Unicode.
_HIDDEN = ("Cc", "Cf", "Cs")


def printable(text: str) -> str:
    r"""Write what a terminal would act upon, or no file can hold, as its code: ``\x1b``.

    Parameters
    ----------
    text : str
        Any; names that are not in UTF-8 have surrogates in them, as Python reads them.

    Returns
    -------
    str
        The same where all of it can be seen; ends of lines and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(
        c.encode("unicode_escape").decode()
        if c not in _KEPT and unicodedata.category(c) in _HIDDEN
        else c
        for c in text
    )
