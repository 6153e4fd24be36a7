"""From a reference to what there is to fetch: asks registries and servers, without fetching the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import assert_never
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit

from ai_services.models.errors import SourceUnavailable
from ai_services.models.sources import npm, pypi
from ai_services.models.sources.npm_settings import NpmSettings, read_npm_settings
from ai_services.models.sources.pip_settings import PipSettings, read_pip_settings
from ai_services.models.sources.reference import HUB, Kind, Reference
from ai_services.models.sources.remote import Local, Remote, Resolved
from ai_services.models.sources.web import WHAT_BREAKS, WebClient, describe, public

HUB_ENDPOINT = "https://huggingface.co"
NOT_ANSWERED = (403, 405, 501)  # a server that does not do HEAD may still do GET


@dataclass
class Resolver:
    """Resolves each place once; a failure is remembered too, so that it is neither asked nor told twice."""

    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)
    known: dict[tuple[Kind, str], Resolved | SourceUnavailable] = field(default_factory=dict)

    @cached_property
    def client(self) -> WebClient:
        """The client with the certificates that pip and npm are configured with."""
        given = (self._pip.certificate, self._npm.certificate)
        return WebClient(self.variables, tuple(path for path in given if path is not None))

    @cached_property
    def _pip(self) -> PipSettings:
        return read_pip_settings(self.variables)

    @cached_property
    def _npm(self) -> NpmSettings:
        return read_npm_settings(self.variables)

    def resolve(self, reference: Reference) -> Resolved:
        """What there is to fetch for a reference. Raises SourceUnavailable."""
        key = (reference.kind, reference.place)
        if key not in self.known:
            try:
                self.known[key] = self._with_size(self._find(reference))
            except SourceUnavailable as error:
                self.known[key] = error
        result = self.known[key]
        if isinstance(result, SourceUnavailable):
            raise result
        return result

    def knew(self, error: Exception) -> bool:
        """Whether this is a place's own failure to resolve, which the plan has told of already."""
        return any(error is known for known in self.known.values())

    def _find(self, reference: Reference) -> Resolved:
        match reference.kind:
            case Kind.PYPI:
                return pypi.find_package(self.client, self._pip, reference.place)
            case Kind.NPM:
                return npm.find_package(self.client, self._npm, reference.place)
            case Kind.HUB:
                return self._hub(reference.place)
            case Kind.WEB:
                return Remote(reference.place, unquote(urlsplit(reference.place).path.rpartition("/")[2]))
            case Kind.FILE:
                return _local(Path(reference.place))
            case _:
                assert_never(reference.kind)

    def _hub(self, place: str) -> Remote:
        """HF_ENDPOINT and HF_TOKEN are honoured, as by the hub's own client."""
        found = HUB.fullmatch(place)
        if found is None:
            raise SourceUnavailable(f"hf:{place} is not OWNER/REPO[@REVISION]/PATH")
        endpoint = (self.variables.get("HF_ENDPOINT") or HUB_ENDPOINT).rstrip("/")
        if token := self.variables.get("HF_TOKEN"):
            self.client.authorisations[f"{endpoint}/"] = f"Bearer {token}"
        revision = found["version"] or "main"
        address = f"{endpoint}/{found['name']}/resolve/{revision}/{quote(found['path'])}"
        return Remote(address, found["path"].rpartition("/")[2])

    def _with_size(self, resolved: Resolved) -> Resolved:
        """Ask for the length where the registry did not say it, so that the user hears it first."""
        if isinstance(resolved, Local) or resolved.size is not None:
            return resolved
        try:
            with self.client.open(resolved.address, method="HEAD") as response:
                length = response.headers.get("Content-Length")
        except HTTPError as error:
            if error.code in NOT_ANSWERED:
                return resolved
            raise SourceUnavailable(f"{public(resolved.address)} {describe(error)}") from error
        except WHAT_BREAKS as error:
            raise SourceUnavailable(f"{public(resolved.address)}: {describe(error)}") from error
        return replace(resolved, size=int(length)) if length and length.isdigit() else resolved


def _local(path: Path) -> Local:
    try:
        if path.is_dir():
            return Local(path, sum(item.stat().st_size for item in path.rglob("*") if item.is_file()))
        return Local(path, path.stat().st_size)
    except OSError as error:
        raise SourceUnavailable(f"{path}: {error.strerror}") from error
