"""Fetches one file over HTTP. What was fetched survives an interruption and is continued, not repeated.

Beside `NAME` under way lie `NAME.part` (the bytes so far) and `NAME.part.json` (the server's validator).
A continuation asks with `If-Range`, so a file that changed meanwhile starts anew; the registry's digest is
checked at the end in any case.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from urllib.error import HTTPError

from ai_services.models.errors import ChecksumMismatch, SourceUnavailable
from ai_services.models.files import CHUNK, full_disk_is_told
from ai_services.models.progress import Reporter, in_words
from ai_services.models.sources.remote import Remote
from ai_services.models.sources.web import TEMPORARY, WHAT_BREAKS, WebClient, describe, public

TRIES_WITHOUT_PROGRESS = 5


class _Broken(Exception):
    """The connection ended before the file did."""


@dataclass(frozen=True)
class Downloader:
    """Fetches files with one client. `pause` is slept, doubling, between tries that brought nothing."""

    client: WebClient
    report: Reporter
    pause: float = 0.5

    def fetch(self, remote: Remote, target: Path) -> None:
        """Fetch `remote` to `target`, which exists afterwards only if it is whole and its digests are right.

        Raises SourceUnavailable (what was fetched is kept for the next try), ChecksumMismatch, DiskFull.
        """
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _Partial(target)
        continued = partial.length > 0
        with full_disk_is_told(target.parent):
            self._fetch(remote, partial)
        try:
            _check(remote, partial.path)
        except ChecksumMismatch:
            partial.discard()
            if not continued:
                raise
            self.report.warn(f"{remote.name}: the continued download is wrong, starting anew")
            self.fetch(remote, target)
            return
        partial.path.rename(target)
        partial.discard()

    def _fetch(self, remote: Remote, partial: _Partial) -> None:
        if partial.length:
            self.report.say(f"  {remote.name}: continuing after {in_words(partial.length)}")
        failures = 0
        with self.report.transfer(remote.name, remote.size, partial.length) as advance:
            while True:
                before = partial.length
                try:
                    return self._once(remote, partial, advance)
                except _Broken as error:
                    failures = 0 if partial.length > before else failures + 1
                    if failures >= TRIES_WITHOUT_PROGRESS:
                        raise SourceUnavailable(f"{public(remote.address)}: {error}") from error
                time.sleep(self.pause * 2**failures)

    def _once(self, remote: Remote, partial: _Partial, advance: Callable[[int], None]) -> None:
        """One request; returns when the file is whole, raises _Broken when another try may help."""
        with self._open(remote, partial) as response:
            if not partial.accept(response):
                advance(-partial.length)
                partial.restart(response)
            announced = response.headers.get("Content-Length")
            total = partial.length + int(announced or 0)
            with partial.path.open("ab") as file:
                while chunk := _receive(response):
                    file.write(chunk)
                    advance(len(chunk))
            if announced and partial.length != total:
                raise _Broken(f"it broke off after {partial.length} of {total} bytes")

    def _open(self, remote: Remote, partial: _Partial) -> HTTPResponse:
        headers = partial.range_headers(checked_later=bool(remote.digests))
        try:
            return self.client.open(remote.address, headers=headers)
        except HTTPError as error:
            if error.code == 416 and headers:
                partial.discard()
            elif error.code not in TEMPORARY:
                raise SourceUnavailable(f"{public(remote.address)} {describe(error)}") from error
            raise _Broken(describe(error)) from error
        except SourceUnavailable as error:
            if not partial.length:
                raise
            self.client.unreachable.clear()  # it was there a moment ago
            raise _Broken(error.detail) from error
        except WHAT_BREAKS as error:
            raise _Broken(describe(error)) from error


def fetched(target: Path) -> int:
    """Bytes that are there of what `Downloader.fetch` puts at `target`, whole or not."""
    return target.stat().st_size if target.exists() else _Partial(target).length


def _receive(response: HTTPResponse) -> bytes:
    """What has arrived, so that it is kept even if the connection breaks right after; empty at the end."""
    try:
        return response.read1(CHUNK)
    except WHAT_BREAKS as error:
        raise _Broken(describe(error)) from error


class _Partial:
    """The file under way and what is needed to continue it."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._facts = target.with_name(target.name + ".part.json")

    @property
    def length(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def range_headers(self, checked_later: bool) -> dict[str, str]:
        """Ask for the rest, if the server can tell that it is still the same file, or a digest will."""
        if not self.length:
            return {}
        validator = self._validator()
        if not validator and not checked_later:
            return {}
        return {"Range": f"bytes={self.length}-", **({"If-Range": validator} if validator else {})}

    def accept(self, response: HTTPResponse) -> bool:
        """Whether the response continues what is there."""
        start = (response.headers.get("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
        return response.status == 206 and start == str(self.length)

    def restart(self, response: HTTPResponse) -> None:
        """Begin anew with a whole response, remembering its validator (a weak one cannot be used)."""
        if response.status == 206:
            self.discard()
            raise _Broken("the server continued at another place")
        etag = response.headers.get("ETag") or ""
        strong = "" if etag.startswith("W/") else etag
        self.path.write_bytes(b"")  # first, lest the new validator ever vouches for the old bytes
        self._facts.write_text(json.dumps({"validator": strong or response.headers.get("Last-Modified")}))

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._facts.unlink(missing_ok=True)

    def _validator(self) -> str:
        try:
            return str(json.loads(self._facts.read_text())["validator"] or "")
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def _check(remote: Remote, path: Path) -> None:
    """Compare with what the registry promised. Raises ChecksumMismatch."""
    for algorithm, expected in remote.digests.items():
        if algorithm not in hashlib.algorithms_guaranteed:
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found != expected.lower():
            raise ChecksumMismatch(
                f"{public(remote.address)}: {algorithm} is {found[:12]}..., expected is {expected[:12]}..."
            )
    if not remote.digests and remote.size is not None and path.stat().st_size != remote.size:
        raise ChecksumMismatch(f"{public(remote.address)} has another length than announced")
