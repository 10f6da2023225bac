"""Whether a server can be reached, and whether this computer is online; asked before a download."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from napari_ssp.progress import Background, Progress, Result, Steps

if TYPE_CHECKING:
    from collections.abc import Generator

    from requests import RequestException

_PORTS = {"http": 80, "https": 443}
#: A name that is found wherever names of the internet are found.
_KNOWN_NAME = "github.com"
#: Seconds to wait for it.
_LOOK_UP = 0.7
#: Addresses that nobody has; a route to them is a route to the internet. Nothing is sent.
_NOWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


class UnreachableError(ConnectionError):
    """A server that cannot be reached now; asking again at once does not help.

    Parameters
    ----------
    host : str
        Its name.
    why : str
        What failed.

    Attributes
    ----------
    host, why : str
        As above.
    """

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"{host} could not be reached: {why}")
        self.host, self.why = host, why


def reach_steps(url: str, seconds: float) -> Steps[None]:
    """Find out whether the server of an address can be reached.

    Where a proxy stands between, only the proxy can tell; then nothing is asked.

    Parameters
    ----------
    url : str
        The address.
    seconds : float
        How long to wait at most, with the look-up of the name.

    Raises
    ------
    UnreachableError
        When its name is not found, it refuses, or it does not answer in time.
    """
    from requests.utils import get_environ_proxies, select_proxy

    parts = urlsplit(url)
    if select_proxy(url, get_environ_proxies(url)):
        return
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    end = time.monotonic() + seconds
    with closing(Background(_connect(host, port, end)).steps()) as waiting:
        for _ in waiting:
            yield Progress(f"looking for {host}")
            if time.monotonic() > end:
                raise UnreachableError(host, f"it did not answer within {seconds:.2g} s")


def _connect(host: str, port: int, end: float) -> Generator[None, None, None]:
    """Open a connection to the first place of a name that takes it, and close it."""
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(host, "its name was not found") from error
    why = "it has no place"
    for number, (family, kind, protocol, _, place) in enumerate(places):
        left = end - time.monotonic()
        if left <= 0:
            break
        with socket.socket(family, kind, protocol) as line:
            line.settimeout(left / (len(places) - number))
            try:
                line.connect(place)
                return
            except TimeoutError:
                why = "it did not answer"
            except OSError as error:
                why = (error.strerror or str(error)).lower()
        yield
    raise UnreachableError(host, why)


def explained(steps: Steps[Result]) -> Steps[Result]:
    """Do a download; where a server cannot be reached, say whether this computer is online.

    Raises
    ------
    ConnectionError
        With both.
    """
    try:
        return (yield from steps)
    except UnreachableError as error:
        raise ConnectionError(f"{error}. {describe_connection()}") from error


def find_unreachable(error: RequestException) -> UnreachableError | None:
    """Say which server, or proxy, a request failed to reach; None where it failed later."""
    from requests.exceptions import ConnectTimeout, ProxyError
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

    url = getattr(error.request, "url", None) or ""
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", inner)
    host = urlsplit(str(url)).hostname or "the server"
    if isinstance(error, ProxyError):
        return UnreachableError(host, "the proxy of this computer does not answer")
    if isinstance(reason, NameResolutionError):
        return UnreachableError(host, "its name was not found")
    if isinstance(error, ConnectTimeout) or isinstance(reason, ConnectTimeoutError):
        return UnreachableError(host, "it did not answer")
    if isinstance(reason, NewConnectionError):
        return UnreachableError(host, "the connection was refused")
    return None


def describe_connection() -> str:
    """Say whether this computer is online, in a sentence; takes less than a second."""
    if not any(_has_route(family, place) for family, place in _NOWHERE):
        return "This computer is offline: it has no connection to a network."
    if not _finds_names():
        return (
            f"This computer seems to be offline: it finds no names of the internet, {_KNOWN_NAME} "
            "neither. Does the network ask for a log-in in a browser first?"
        )
    return "This computer is online: the site may be down, or blocked by this network."


def _has_route(family: int, place: str) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as line:
            line.connect((place, 443))
            return True
    except OSError:
        return False


def _finds_names() -> bool:
    with closing(Background(_look_up(_KNOWN_NAME)).steps(_LOOK_UP)) as waiting:
        try:
            next(waiting)
        except StopIteration:
            return True
        except OSError:
            pass
    return False


def _look_up(name: str) -> Generator[None, None, None]:
    socket.getaddrinfo(name, 443)
    return
    yield
