"""The local server of the viewer: read-only, on this machine only, and only for requests with its secret token.

The address contains a random token that other users and web pages cannot guess. Requests must have this machine as
their host, which protects against web pages whose name was made to point to this machine (DNS rebinding).
"""

from __future__ import annotations

import hmac
import json
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from avw.avw4k.viewing.library import Library
from avw.avw4k.viewing.page import served_page
from avw.sim_bridge.errors import AvwError, UsageError

ADDRESS = "127.0.0.1"
LOOPBACK = (ADDRESS, "localhost", "[::1]")
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class ViewerServer(ThreadingHTTPServer):
    """Serves a library at `url` until `shutdown`. port: 0 takes any free port."""

    daemon_threads = True
    request_queue_size = 256  # connections that wait while others are accepted

    def __init__(self, library: Library, port: int = 0) -> None:
        self.library, self.token = library, secrets.token_urlsafe(18)
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise UsageError(f"port {port} cannot be used: {error.strerror}; choose another, or --port 0") from error

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone, e.g. a closed tab, is no error; others are printed."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """GET /TOKEN/ is the page, GET /TOKEN/clip/ID a clip. Anything else is refused."""

    server: ViewerServer
    server_version, sys_version = "avw", ""

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        status, kind, content = self._find()
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _find(self) -> tuple[HTTPStatus, str, bytes]:
        if not _is_this_machine(self.headers.get("Host", "")):
            return _text(HTTPStatus.FORBIDDEN, "this server only answers requests from this machine")
        token, _, rest = unquote(self.path.split("?")[0]).removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            return _text(HTTPStatus.NOT_FOUND, "open the complete address that `avw view` printed")
        if rest == "":
            return HTTPStatus.OK, "text/html; charset=utf-8", served_page(self.server.library).encode()
        what, _, name = rest.partition("/")
        if what != "clip":
            return _text(HTTPStatus.NOT_FOUND, "there is no such page")
        try:
            clip = json.dumps(self.server.library.entry(name), separators=(",", ":"))
        except UsageError as error:
            return _text(HTTPStatus.NOT_FOUND, str(error))
        except AvwError as error:
            return _text(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        return HTTPStatus.OK, "application/json", clip.encode()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Silent: the terminal belongs to the command."""


def _is_this_machine(host: str) -> bool:
    """Whether a Host header names this machine, with any port: `ssh -L 8000:localhost:PORT` changes the port."""
    name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "0")
    if not name:
        name, port = host, "0"
    return name.lower() in LOOPBACK and port.isdecimal()


def _text(status: HTTPStatus, sentence: str) -> tuple[HTTPStatus, str, bytes]:
    return status, "text/plain; charset=utf-8", sentence.encode()
