"""A small real package index: PEP 503 pages or PEP 691 documents, ranges, a login, and broken connections."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FakeIndex:
    """What is served, and what was asked. `break_after` cuts the next file off after so many bytes."""

    files: dict[str, bytes] = field(default_factory=dict)
    speaks_json: bool = True
    login: str = ""
    break_after: int | None = None
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.login + '@' if self.login else ''}127.0.0.1:{self.port}/simple"

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.files[name]).hexdigest()


@contextmanager
def serving_packages(index: FakeIndex) -> Iterator[FakeIndex]:
    """Serve the index on a free loopback port."""

    class Handler(_Handler):
        served = index

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: FakeIndex

    def do_GET(self) -> None:
        index = self.served
        index.asked.append(f"{self.path} {self.headers.get('Range') or ''}".strip())
        wanted = "Basic " + base64.b64encode(index.login.encode()).decode()
        if index.login and self.headers.get("Authorization") != wanted:
            self._answer(401, b"", "text/plain")
        elif self.path.startswith("/simple/"):
            self._page()
        else:
            self._file(self.path.rpartition("/")[2])

    def _page(self) -> None:
        names = self.served.files
        if self.served.speaks_json:
            document = {"files": [{"filename": name, "url": f"../../files/{name}"} for name in names]}
            self._answer(200, json.dumps(document).encode(), "application/vnd.pypi.simple.v1+json")
        else:
            links = "".join(f'<a href="../../files/{name}#sha256=00">{name}</a>' for name in names)
            self._answer(200, links.encode(), "text/html")

    def _file(self, name: str) -> None:
        body = self.served.files[name]
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        cut, self.served.break_after = self.served.break_after, None
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:] if cut is None else body[start : start + cut])
        self.close_connection = True

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
