"""Fetches one file from the user's package index.

Standard library only, since this runs before anything is installed.
Sources: the simple repository API (PEP 503 HTML, PEP 691 JSON), HTTP ranges (RFC 9110).
"""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import netrc
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from index_settings import IndexSettings, SetupError

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
ATTEMPTS = 3
CHUNK = 256 * 1024


class PackageIndex:
    """Fetches single files, by name, from wherever the user's settings point."""

    def __init__(self, settings: IndexSettings) -> None:
        self._settings = settings
        self._tls = _tls(settings.cert)

    def fetch(self, project: str, file: str, sha256: str, folder: Path) -> Path:
        """The verified file in this folder. A broken download goes on where it stopped, now or next time."""
        target = folder / file
        for attempt in range(ATTEMPTS):
            try:
                self._fetch(self._locate(project, file), target, project)
                break
            except (OSError, urllib.error.URLError, TimeoutError) as error:
                if attempt == ATTEMPTS - 1 or _is_final(error):
                    raise self._explained(error, file) from error
                time.sleep(2**attempt)
        if _sha256(target) != sha256:
            target.unlink()
            raise SetupError(
                f"{file} does not have the expected sha256",
                "Run it again; if that does not help, your package index serves a changed file.",
            )
        return target

    def reach(self) -> None:
        """Raise SetupError when the index does not answer."""
        if self._settings.no_index or self._settings.index_url.startswith("file:"):
            return
        try:
            self._open(f"{self._settings.index_url.rstrip('/')}/uv/").close()
        except (OSError, urllib.error.URLError) as error:
            raise self._explained(error, "uv") from error

    def _locate(self, project: str, file: str) -> str:
        for place in self._settings.find_links:
            path = Path(urllib.request.url2pathname(place.removeprefix("file://"))) / file
            if path.is_file():
                return path.as_uri()
        if not self._settings.no_index:
            for base in (self._settings.index_url, *self._settings.extra_index_urls):
                if (url := self._listed(f"{base.rstrip('/')}/{project}/", file)) is not None:
                    return url
        where = "the find-links folders" if self._settings.no_index else _shown(self._settings.index_url)
        raise SetupError(
            f"{where} does not have {file}",
            "Ask who runs the package index, or set PIP_INDEX_URL to one that has it.",
        )

    def _listed(self, page: str, file: str) -> str | None:
        try:
            with self._open(page) as answer:
                kind, body, base = answer.headers.get_content_type(), answer.read(), answer.url
        except urllib.error.HTTPError as error:
            if error.code in (403, 404, 410):
                return None
            raise
        except urllib.error.URLError as error:
            if isinstance(error.reason, FileNotFoundError | IsADirectoryError):
                return None
            raise
        links = _json_links(body) if kind.endswith("+json") else _html_links(body)
        for link in links:
            url = urllib.parse.urljoin(base, link)
            if urllib.parse.unquote(urllib.parse.urlsplit(url).path).endswith(f"/{file}"):
                return _with_login_of(page, str(urllib.parse.urldefrag(url).url))
        return None

    def _fetch(self, url: str, target: Path, label: str) -> None:
        part = target.with_name(target.name + ".part")
        done = part.stat().st_size if part.exists() else 0
        try:
            answer = self._open(url, {"Range": f"bytes={done}-"} if done else {})
        except urllib.error.HTTPError as error:
            if error.code != 416:  # the part is complete already
                raise
            part.replace(target)
            return
        with answer:
            goes_on = getattr(answer, "status", None) == 206
            expected = int(answer.headers.get("Content-Length") or 0) + (done if goes_on else 0)
            with part.open("ab" if goes_on else "wb") as file:
                for _ in iter(lambda: file.write(answer.read(CHUNK)), 0):
                    _show_progress(label, file.tell(), expected)
                size = file.tell()
        if size < expected:
            raise TimeoutError("the connection ended early")
        part.replace(target)

    def _open(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        address, authorization = _without_login(url)
        request = urllib.request.Request(  # noqa: S310 - the user's own index
            address, headers={"Accept": ACCEPT, "User-Agent": "ai-semble", **authorization, **(headers or {})}
        )
        host = urllib.parse.urlsplit(address).hostname or ""
        context = ssl._create_unverified_context() if host in self._settings.trusted_hosts else self._tls  # noqa: S323
        try:
            return urllib.request.urlopen(request, timeout=self._settings.timeout_s, context=context)  # noqa: S310
        except urllib.error.HTTPError as error:
            error.close()  # its status is all that is read
            raise

    def _explained(self, error: Exception, file: str) -> SetupError:
        reason = getattr(error, "reason", None) or error
        place = _shown(self._settings.index_url)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return SetupError(
                f"the certificate of {place} is not trusted ({reason.verify_message})",
                "Behind a proxy that re-signs TLS, set SSL_CERT_FILE to its CA bundle.",
            )
        if isinstance(error, urllib.error.HTTPError):
            return SetupError(
                f"{place} answered {error.code} for {file}",
                "Check PIP_INDEX_URL and its login, then try again.",
            )
        if isinstance(error, OSError) and error.errno == 28:
            return SetupError("the disk is full", "Free some space, then run the same command again.")
        return SetupError(
            f"{place} cannot be reached ({reason})",
            "Check the network; set HTTPS_PROXY, or PIP_INDEX_URL to your own index, where needed.",
        )


def _tls(cert: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cert or None)
    except (OSError, ssl.SSLError) as error:
        raise SetupError(
            f"the CA bundle {cert} cannot be read ({error})", "Correct SSL_CERT_FILE or PIP_CERT."
        ) from error


def _is_final(error: Exception) -> bool:
    """Whether trying again at once is pointless."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code < 500
    reason = getattr(error, "reason", error)
    return isinstance(reason, ssl.SSLCertVerificationError) or getattr(error, "errno", None) == 28


def _without_login(url: str) -> tuple[str, dict[str, str]]:
    """The address without its login, and the header that carries the login; .netrc is asked for one, too."""
    parts = urllib.parse.urlsplit(url)
    login = (parts.username, parts.password)
    if not parts.username and parts.hostname:
        with suppress(OSError, netrc.NetrcParseError):
            found = netrc.netrc().hosts.get(parts.hostname)
            login = (found[0], found[2]) if found else login
    if not login[0]:
        return url, {}
    plain = ":".join(urllib.parse.unquote(part or "") for part in login)
    header = {"Authorization": "Basic " + base64.b64encode(plain.encode()).decode("ascii")}
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), header


def _with_login_of(page: str, url: str) -> str:
    """A file on its page's own host is behind the same login."""
    login, _, host = urllib.parse.urlsplit(page).netloc.rpartition("@")
    parts = urllib.parse.urlsplit(url)
    return parts._replace(netloc=f"{login}@{host}").geturl() if login and parts.netloc == host else url


def _shown(url: str) -> str:
    """An address that may be printed."""
    parts = urllib.parse.urlsplit(url)
    return parts.hostname or parts.path


def _json_links(body: bytes) -> Iterator[str]:
    for file in json.loads(body).get("files", ()):
        yield file["url"]


def _html_links(body: bytes) -> Iterator[str]:
    found: list[str] = []

    class Links(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            found.extend(value for name, value in attributes if tag == "a" and name == "href" and value)

    Links().feed(body.decode("utf-8", "replace"))
    yield from found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _show_progress(label: str, done: int, expected: int) -> None:
    if sys.stderr.isatty() and expected:
        end = "\n" if done >= expected else ""
        print(f"\r{label}: {done / 1e6:.1f} of {expected / 1e6:.1f} MB", end=end, file=sys.stderr, flush=True)
