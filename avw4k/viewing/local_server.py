"""A server for pages on this machine only, and only for requests with its secret token.

The address contains a random token that other users and web pages cannot guess. Requests must have this machine as
their host, which protects against web pages whose name was made to point to this machine (DNS rebinding).
"""

from __future__ import annotations

import hmac
import json
import secrets
import sys
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from avw.sim_bridge.errors import UsageError

ADDRESS = "127.0.0.1"
LOOPBACK = (ADDRESS, "localhost", "[::1]")
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LONGEST_REQUEST = 10_000  # bytes of the body of a POST


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sends. headers: more than those that every answer has."""

    content: bytes
    kind: str
    status: HTTPStatus = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)


def html(page: str) -> Answer:
    return Answer(page.encode(), "text/html; charset=utf-8")


def json_answer(value: Any) -> Answer:
    return Answer(json.dumps(value, separators=(",", ":")).encode(), "application/json")


def sentence(status: HTTPStatus, text: str) -> Answer:
    """A refusal or an error, in words."""
    return Answer(text.encode(), "text/plain; charset=utf-8", status)


class LocalServer(ThreadingHTTPServer):
    """Answers at `url` until `shutdown`. Subclasses implement `get`, and set `handler` to Talking and implement `post`
    if pages may send something. Both are called from several threads.

    port: 0 takes any free port · command: what the user typed, for messages
    """

    daemon_threads = True
    request_queue_size = 256  # connections that wait while others are accepted

    def __init__(self, port: int = 0, *, command: str) -> None:
        self.token, self.command = secrets.token_urlsafe(18), command
        try:
            super().__init__((ADDRESS, port), self.handler())
        except OSError as error:
            raise UsageError(f"port {port} cannot be used: {error.strerror}; choose another, or --port 0") from error

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/{self.token}/"

    def handler(self) -> type[Reading]:
        return Reading

    def get(self, path: str) -> Answer:
        """The answer to GET /TOKEN/path; "" is the page."""
        raise NotImplementedError

    def post(self, path: str, values: dict[str, Any]) -> Answer:
        """The answer to POST /TOKEN/path with a JSON object."""
        raise NotImplementedError

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone, e.g. a closed tab, is no error; others are printed."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Reading(BaseHTTPRequestHandler):
    """GET and HEAD; anything else is refused."""

    server: LocalServer
    server_version, sys_version = "avw", ""

    def do_GET(self) -> None:
        self._send(self._refusal() or self.server.get(self._path()), body=True)

    def do_HEAD(self) -> None:
        self._send(self._refusal() or self.server.get(self._path()), body=False)

    def _refusal(self) -> Answer | None:
        if not _is_this_machine(self.headers.get("Host", "")):
            return sentence(HTTPStatus.FORBIDDEN, "this server only answers requests from this machine")
        token = self._split()[0]
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            return sentence(HTTPStatus.NOT_FOUND, f"open the complete address that `{self.server.command}` printed")
        return None

    def _path(self) -> str:
        return self._split()[1]

    def _split(self) -> tuple[str, str]:
        token, _, rest = unquote(self.path.split("?")[0]).removeprefix("/").partition("/")
        return token, rest

    def _send(self, answer: Answer, *, body: bool) -> None:
        self.send_response(answer.status)
        length = {"Content-Type": answer.kind, "Content-Length": str(len(answer.content))}
        for name, value in {**HEADERS, **length, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(answer.content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Silent: the terminal belongs to the command."""


class Talking(Reading):
    """Also POST of a small JSON object."""

    def do_POST(self) -> None:
        self._send(self._refusal() or self._posted(), body=True)

    def _posted(self) -> Answer:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LONGEST_REQUEST:
            return sentence(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {LONGEST_REQUEST} bytes of JSON")
        try:
            values = json.loads(self.rfile.read(int(length)))
        except ValueError:
            values = None
        if not isinstance(values, dict):
            return sentence(HTTPStatus.BAD_REQUEST, "expected a JSON object")
        return self.server.post(self._path(), values)


def _is_this_machine(host: str) -> bool:
    """Whether a Host header names this machine, with any port: `ssh -L 8000:localhost:PORT` changes the port."""
    name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "0")
    if not name:
        name, port = host, "0"
    return name.lower() in LOOPBACK and port.isdecimal()
