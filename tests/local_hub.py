"""A local server with the part of the Hugging Face Hub's HTTP interface that datasets and models need."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class LocalHub(ThreadingHTTPServer):
    """files: {repository: {path: content}} · private: private repositories · requests: "METHOD path" of each."""

    daemon_threads = True

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token = token
        self.files: dict[str, dict[str, bytes]] = {}
        self.objects: dict[str, bytes] = {}
        self.private: set[str] = set()
        self.requests: list[str] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> LocalHub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: LocalHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._route("GET")

    def do_HEAD(self) -> None:
        self._route("HEAD")

    def do_POST(self) -> None:
        self._route("POST")

    def do_PUT(self) -> None:
        self._route("PUT")

    def _route(self, method: str) -> None:
        path = unquote(self.path.split("?")[0])
        body = self._body()
        self.server.requests.append(f"{method} {path}")
        if method == "PUT" and path.startswith("/objects/"):
            self.server.objects[path.removeprefix("/objects/")] = body
            return self._json({})
        if method != "GET" and method != "HEAD" and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self._json({"error": "Invalid credentials"}, 401)
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if found := re.fullmatch(r"/api/(?:datasets|models)/([^/]+/[^/]+)/preupload/[^/]+", path):
            return self._preupload(found[1], json.loads(body))
        if found := re.fullmatch(r"(?:/datasets)?/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            return self._batch(json.loads(body))
        if found := re.fullmatch(r"/api/(?:datasets|models)/([^/]+/[^/]+)/commit/[^/]+", path):
            return self._commit(found[1], body)
        if found := re.fullmatch(r"/api/(?:datasets|models)/([^/]+/[^/]+?)(?:/revision/[^/]+)?", path):
            return self._info(found[1])
        if found := re.fullmatch(r"/api/(?:datasets|models)/([^/]+/[^/]+)/tree/[^/]+", path):
            return self._tree(found[1])
        if found := re.fullmatch(r"(?:/datasets)?/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            return self._file(found[1], found[2], method)
        return self._json({"error": f"unknown request: {method} {path}"}, 404)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        self.server.files.setdefault(name, {})
        if asked.get("private") or asked.get("visibility") == "private":
            self.server.private.add(name)
        self._json({"url": f"{self.server.url}/datasets/{name}", "name": name, "id": name})

    def _preupload(self, repo: str, asked: dict[str, Any]) -> None:
        large = (".h5", ".safetensors")
        modes = [{"path": file["path"], "uploadMode": "lfs" if file["path"].endswith(large) else "regular",
                  "shouldIgnore": False} for file in asked["files"]]  # fmt: skip
        self._json({"files": modes})

    def _batch(self, asked: dict[str, Any]) -> None:
        actions = [{"oid": item["oid"], "size": item["size"],
                    "actions": {"upload": {"href": f"{self.server.url}/objects/{item['oid']}"}}}
                   for item in asked["objects"]]  # fmt: skip
        self._json({"transfer": "basic", "objects": actions})

    def _commit(self, repo: str, body: bytes) -> None:
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                self.server.files[repo][value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                content = self.server.objects[value["oid"]]
                assert hashlib.sha256(content).hexdigest() == value["oid"]
                self.server.files[repo][value["path"]] = content
        address = f"{self.server.url}/datasets/{repo}/commit/{COMMIT}"
        self._json({"success": True, "commitOid": COMMIT, "commitUrl": address, "hookOutput": ""})

    def _info(self, repo: str) -> None:
        if repo not in self.server.files:
            self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
            return
        siblings = [{"rfilename": name} for name in sorted(self.server.files[repo])]
        self._json(
            {"id": repo, "sha": COMMIT, "private": repo in self.server.private, "siblings": siblings, "tags": []}
        )

    def _tree(self, repo: str) -> None:
        self._json([{"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                    for name, content in sorted(self.server.files[repo].items())])  # fmt: skip

    def _file(self, repo: str, name: str, method: str) -> None:
        content = self.server.files[repo].get(name)
        if content is None:
            self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        self._send(200, content, {"Content-Type": "application/octet-stream", **headers}, method)

    def _json(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, content: bytes, headers: dict[str, str], method: str = "") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if (method or self.command) != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Log nothing."""
