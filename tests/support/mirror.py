"""A registry and file server that does what networks do: it breaks off, stalls, forgets and lies.

Real HTTP on a free loopback port: ranges, validators, HEAD, redirects; and a count of what it served.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class Resource:
    """What is at a path, and what goes wrong with it. Breaks and refusals are used up one a request."""

    body: bytes
    content_type: str = "application/octet-stream"
    etag: str = ""
    ranges: bool = True
    head: bool = True
    refusals: list[int] = field(default_factory=list)
    breaks_after: list[int] = field(default_factory=list)
    pause: float = 0.0
    location: str = ""


@dataclass
class Mirror:
    """What the server has and what it did: requests as (method, path, headers), body bytes by path."""

    base: str = ""
    resources: dict[str, Resource] = field(default_factory=dict)
    requests: list[tuple[str, str, Message]] = field(default_factory=list)
    served: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, path: str, body: bytes, **settings: object) -> Resource:
        """Publish a file; its ETag follows its contents."""
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        self.resources[path] = Resource(body, **{"etag": etag, **settings})  # type: ignore[arg-type]
        return self.resources[path]

    def put_wheel(self, name: str, version: str, members: Mapping[str, bytes], *, html: bool = False) -> str:
        """Publish a package on the index at /simple; returns the path of its wheel."""
        body, file = wheel(members), f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        path, digest = f"/files/{file}", hashlib.sha256(body).hexdigest()
        self.put(path, body)
        if html:
            page = f'<!DOCTYPE html><a href="../..{path}#sha256={digest}">{file}</a>'
            self.put(f"/simple/{name}/", page.encode(), content_type="text/html")
            return path
        listed = self.resources.get(f"/simple/{name}/")
        files = (
            [item for item in json.loads(listed.body)["files"] if item["filename"] != file] if listed else []
        )
        entry = {"filename": file, "url": f"../..{path}", "hashes": {"sha256": digest}, "size": len(body)}
        self.put(
            f"/simple/{name}/", json.dumps({"files": [*files, entry]}).encode(), content_type=SIMPLE_JSON
        )
        return path

    def put_tarball(self, name: str, version: str, members: Mapping[str, bytes]) -> str:
        """Publish a package on the npm registry at /npm; returns the path of its tarball."""
        body = tarball({f"package/{member}": data for member, data in members.items()})
        path = f"/npm/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        self.put(path, body)
        distribution = {"tarball": self.base + path, "shasum": hashlib.sha1(body).hexdigest()}  # noqa: S324
        document = {"versions": {version: {"dist": distribution}}}
        self.put(f"/npm/{name.replace('/', '%2F')}", json.dumps(document).encode())
        return path

    def count(self, method: str, path: str) -> int:
        """How often a path was asked for."""
        return sum(1 for verb, asked, _ in self.requests if (verb, asked) == (method, path))


@contextmanager
def mirror() -> Iterator[Mirror]:
    """A running mirror with nothing on it."""
    state = Mirror()
    handler = type("Handler", (_Handler,), {"mirror": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mirror: Mirror

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        self.close_connection = True
        with self.mirror.lock:
            self.mirror.requests.append((self.command, self.path, self.headers))
            resource = self.mirror.resources.get(self.path)
            status = 404 if resource is None else resource.refusals.pop(0) if resource.refusals else 200
        if resource is None or status != 200 or (self.command == "HEAD" and not resource.head):
            self._status(status if status != 200 else 405)
        elif resource.location:
            self._status(302, Location=resource.location)
        else:
            self._send(resource)

    def _status(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, resource: Resource) -> None:
        start = self._start(resource)
        if start is not None and start >= len(resource.body):
            self._status(416)
            return
        body = resource.body[start or 0 :]
        self.send_response(200 if start is None else 206)
        self.send_header("Content-Type", resource.content_type)
        self.send_header("Content-Length", str(len(body)))
        if resource.etag:
            self.send_header("ETag", resource.etag)
        if start is not None:
            last = len(resource.body) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(resource.body)}")
        self.end_headers()
        if self.command == "GET":
            self._write(resource, body)

    def _start(self, resource: Resource) -> int | None:
        """Where a range request begins, if it is honoured."""
        asked = self.headers.get("Range", "")
        if not asked or not resource.ranges or self.headers.get("If-Range", resource.etag) != resource.etag:
            return None
        return int(asked.removeprefix("bytes=").rstrip("-"))

    def _write(self, resource: Resource, body: bytes) -> None:
        with self.mirror.lock:
            limit = resource.breaks_after.pop(0) if resource.breaks_after else len(body)
        for position in range(0, min(limit, len(body)), 4096):
            chunk = body[position : min(position + 4096, limit)]
            time.sleep(resource.pause)
            # Counted before it is written: the client may look at the count as soon as it has the bytes.
            self._count(len(chunk))
            try:
                self.wfile.write(chunk)
            except ConnectionError:
                self._count(-len(chunk))
                return  # the client left

    def _count(self, length: int) -> None:
        with self.mirror.lock:
            self.mirror.served[self.path] += length


def wheel(members: Mapping[str, bytes]) -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarball(members: Mapping[str, bytes]) -> bytes:
    """A gzipped tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
