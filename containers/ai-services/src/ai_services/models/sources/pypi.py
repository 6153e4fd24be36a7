"""Finds a file of a package on the Python package indexes that pip would use.

Sources: PEP 503 (HTML), PEP 691 and PEP 700 (JSON) of the simple repository API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from html.parser import HTMLParser
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

from ai_services.models.errors import SourceUnavailable
from ai_services.models.sources.pip_settings import PipSettings
from ai_services.models.sources.remote import Local, Remote, Resolved
from ai_services.models.sources.web import WHAT_BREAKS, WebClient, describe, public, split_credentials

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
LONGEST_PAGE = 64 * 1024 * 1024
ARCHIVES = (".tar.gz", ".zip")


@dataclass(frozen=True)
class IndexedFile:
    """One file of a package as an index lists it."""

    name: str
    address: str
    size: int | None
    digests: dict[str, str]


def find_package(client: WebClient, settings: PipSettings, package: str) -> Resolved:
    """The file of `NAME==VERSION` to fetch: a wheel for any platform first, then a source archive.

    Raises SourceUnavailable that says what each index answered.
    """
    name, _, version = package.partition("==")
    for folder in settings.folders:
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            if _rank(path.name, name, version) is not None:
                return Local(path, path.stat().st_size)
    reasons = []
    for index in settings.indexes:
        try:
            files = list(_files(client, index, name))
        except SourceUnavailable as error:
            reasons.append(error.detail)
            continue
        if (best := _best(files, name, version)) is not None:
            return _resolved(index, best)
        reasons.append(f"{public(index)} has no {package}")
    raise SourceUnavailable("; ".join(reasons) or f"{package}: pip has no index; set PIP_INDEX_URL")


def _resolved(index: str, file: IndexedFile) -> Resolved:
    if file.address.startswith("file:"):
        path = Path(url2pathname(urlsplit(file.address).path))
        return Local(path, path.stat().st_size)
    return Remote(_with_credentials(index, file.address), file.name, file.size, file.digests)


def _with_credentials(index: str, address: str) -> str:
    """The address with the index's `user:password@` where both have the same host."""
    given, wanted = urlsplit(index), urlsplit(address)
    if given.username is None or given.hostname != wanted.hostname or given.port != wanted.port:
        return address
    return wanted._replace(netloc=given.netloc).geturl()


def _files(client: WebClient, index: str, name: str) -> Iterator[IndexedFile]:
    page = f"{index.rstrip('/')}/{re.sub(r'[-_.]+', '-', name).lower()}/"
    if page.startswith("file:"):
        path = Path(url2pathname(urlsplit(page).path)) / "index.html"
        yield from _from_html(path.read_text(encoding="utf-8"), page) if path.is_file() else ()
        return
    try:
        body, headers = client.read(page, limit=LONGEST_PAGE, headers={"Accept": ACCEPT})
    except HTTPError as error:
        if error.code != 404:
            raise SourceUnavailable(f"{public(page)} {describe(error)}") from error
        return
    except WHAT_BREAKS as error:
        raise SourceUnavailable(f"{public(page)}: {describe(error)}") from error
    yield from _parse(body, headers, split_credentials(page)[0])


def _parse(body: bytes, headers: Message, page: str) -> list[IndexedFile]:
    try:
        if headers.get_content_type() == JSON_TYPE:
            return [_from_json(item, page) for item in json.loads(body)["files"]]
        return list(_from_html(body.decode(), page))
    except (ValueError, KeyError, TypeError) as error:
        raise SourceUnavailable(f"{page} is not a package index's page ({error!r})") from error


def _from_json(item: dict[str, object], page: str) -> IndexedFile:
    size, digests = item.get("size"), item.get("hashes")
    return IndexedFile(
        name=str(item["filename"]),
        address=urljoin(page, str(item["url"])),
        size=size if isinstance(size, int) else None,
        digests={str(key): str(value) for key, value in digests.items()} if isinstance(digests, dict) else {},
    )


def _from_html(text: str, page: str) -> Iterator[IndexedFile]:
    parser = _Anchors()
    parser.feed(text)
    for link in parser.links:
        address, fragment = urldefrag(urljoin(page, link))
        algorithm, _, digest = fragment.partition("=")
        name = unquote(urlsplit(address).path.rpartition("/")[2])
        yield IndexedFile(name, address, None, {algorithm: digest} if digest else {})


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and (link := dict(attrs).get("href")):
            self.links.append(link)


def _best(files: list[IndexedFile], name: str, version: str) -> IndexedFile | None:
    ranked = [(rank, file) for file in files if (rank := _rank(file.name, name, version)) is not None]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _rank(file: str, name: str, version: str) -> int | None:
    """How welcome a file is (0 most), or None when it is not of this package and version."""
    wanted = (_plain(name), version.lower())
    if file.endswith(".whl"):
        parts = file[: -len(".whl")].split("-")
        if len(parts) < 5 or (_plain(parts[0]), parts[1].lower()) != wanted:
            return None
        return 0 if parts[-1] == "any" else 1
    for suffix in ARCHIVES:
        stem, _, found = file.removesuffix(suffix).rpartition("-")
        if file.endswith(suffix) and (_plain(stem), found.lower()) == wanted:
            return 2
    return None


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
