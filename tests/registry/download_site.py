"""A server on this machine that drops, lies and dawdles."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ssp.registry.transfer.item import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
HASTE = RetryPolicy(attempts=3, first_wait=0.01, longest_wait=0.02, connect=5, silence=0.5)


@dataclass
class Site:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    #: Bytes after which the line is cut, one number per request; then never.
    drops: list[int] = field(default_factory=list)
    ranges: bool = True
    tag: str = '"one"'
    status: list[int] = field(default_factory=list)
    kind: str = "application/octet-stream"
    length: bool = True
    silent: int = 0
    location: str = ""
    encoding: str = ""
    #: Web pages that are sent before the file.
    pages: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    sent: int = 0
    url: str = ""
    server: Any = None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site: Site = self.server.site
        wanted = self.headers.get("Range", "")
        site.asked.append(wanted)
        site.paths.append(self.path)
        if site.pages:
            page = site.pages.pop(0)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
            return
        if site.location:
            self.send_response(302)
            self.send_header("Location", site.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if site.status:
            self.send_response(site.status.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(wanted[6:-1]) if wanted and site.ranges else 0
        if self.headers.get("If-Range", site.tag) != site.tag:
            start = 0
        if start >= len(site.content) > 0:
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._send(site, start)

    def _send(self, site: Site, start: int) -> None:
        part = site.content[start:]
        self.send_response(206 if start else 200)
        if start:
            whole = len(site.content)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if site.tag:
            self.send_header("ETag", site.tag)
        if site.encoding:
            self.send_header("Content-Encoding", site.encoding)
        self.send_header("Content-Type", site.kind)
        if site.length:
            self.send_header("Content-Length", str(len(part)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        cut = site.drops.pop(0) if site.drops else len(part)
        self.wfile.write(part[:cut])
        self.wfile.flush()
        site.sent += min(cut, len(part))
        if cut < len(part) and site.silent:
            site.silent -= 1
            threading.Event().wait(1.0)
        self.close_connection = cut < len(part) or not site.length

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Site]:
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = site
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    site.server, site.url = server, f"http://127.0.0.1:{server.server_port}/data/a.czi"
    yield site
    server.shutdown()
    server.server_close()
    thread.join()
