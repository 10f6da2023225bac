"""XML in files of images, read without its means to grow or to fetch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element


def parse_xml(text: str) -> Element | None:
    """Read a document.

    Parameters
    ----------
    text : str
        The document.

    Returns
    -------
    xml.etree.ElementTree.Element or None
        Its root; None where it is not well-formed.

    Raises
    ------
    ValueError
        If it declares entities, which can make a small file fill the memory, or names other files
        to be read. No microscope writes them.
    """
    try:
        root: Element = defusedxml.ElementTree.fromstring(text)
    except DefusedXmlException as error:
        raise ValueError(
            "its XML declares entities or refers to other files, which metadata of images never "
            "do; they were not followed"
        ) from error
    except (defusedxml.ElementTree.ParseError, ValueError):  # damaged, or of an odd encoding
        return None
    return root


def local_name(element: Element) -> str:
    """Name of an element without its namespace, which holds the year of OME's schema."""
    return str(element.tag).rpartition("}")[2]


def children(element: Element, name: str) -> Iterator[Element]:
    """Go through the elements of a name that lie directly in another."""
    return (child for child in element if local_name(child) == name)
