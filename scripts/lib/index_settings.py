"""Where the user's package index is, by pip's and uv's own settings.

Standard library only, since this runs before anything is installed.
Sources: pip's documentation, "Configuration" (files, PIP_ variables); uv's, "Environment variables".
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_INDEX = "https://pypi.org/simple"


class SetupError(Exception):
    """What went wrong, in one line, and what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class IndexSettings:
    """The package index as the user has configured it."""

    index_url: str = DEFAULT_INDEX
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    cert: str = ""
    trusted_hosts: tuple[str, ...] = ()
    timeout_s: float = 60

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> IndexSettings:
        """UV_ variables before PIP_ variables before pip's files."""
        pip = _pip_settings(variables)
        links = variables.get("UV_FIND_LINKS", "").replace(",", " ") or pip.get("find-links", "")
        extra = variables.get("UV_INDEX") or pip.get("extra-index-url", "")
        return cls(
            index_url=variables.get("UV_DEFAULT_INDEX")
            or variables.get("UV_INDEX_URL")
            or pip.get("index-url")
            or DEFAULT_INDEX,
            extra_index_urls=tuple(extra.split()),
            find_links=tuple(links.split()),
            no_index=_is_true(variables.get("UV_NO_INDEX") or pip.get("no-index", "")),
            cert=variables.get("SSL_CERT_FILE") or pip.get("cert", ""),
            trusted_hosts=tuple(pip.get("trusted-host", "").split()),
            timeout_s=float(pip.get("timeout") or 60),
        )

    def uv_variables(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The same settings for uv; what the user has set for uv itself goes first.

        Every package is pinned by hash, so all indexes may be looked through as pip does.
        """
        ours = {
            "UV_INDEX_STRATEGY": "unsafe-best-match",
            "UV_SYSTEM_CERTS": "true",
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_HTTP_TIMEOUT": str(int(self.timeout_s)),
            "UV_INDEX": " ".join(self.extra_index_urls),
            "UV_FIND_LINKS": ",".join(self.find_links),
            # uv has no variable that says "no index", and asks none when it is offline.
            "UV_OFFLINE": "true" if self.no_index else "",
            "UV_INSECURE_HOST": " ".join(self.trusted_hosts),
            "UV_DEFAULT_INDEX": self.index_url if self.index_url != DEFAULT_INDEX else "",
            "SSL_CERT_FILE": self.cert,
        }
        return {**{name: value for name, value in ours.items() if value}, **variables}

    def as_pip_conf(self) -> str:
        """The same settings as one file, for a pip that runs where the user's variables and files are not.

        Local folders of wheels are named in comments too, for whoever has to make them visible there.
        """
        places = [
            link.removeprefix("file://")
            for link in (*self.extra_index_urls, *self.find_links, self.index_url)
        ]
        folders = [place for place in places if Path(place).is_absolute() and Path(place).is_dir()]
        settings = {
            "index-url": self.index_url if self.index_url != DEFAULT_INDEX else "",
            "extra-index-url": " ".join(self.extra_index_urls),
            "find-links": " ".join(self.find_links),
            "no-index": "true" if self.no_index else "",
            "trusted-host": " ".join(self.trusted_hosts),
            "timeout": f"{self.timeout_s:.0f}",
        }
        lines = [f"{key} = {value}" for key, value in settings.items() if value]
        return "\n".join([*(f"# folder: {folder}" for folder in folders), "[global]", *lines, ""])


def _pip_settings(variables: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in _pip_files(variables):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise SetupError(f"{path} cannot be read: {error}", "Correct this file.") from error
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    for name, value in variables.items():
        if name.startswith("PIP_") and value:
            key = name.removeprefix("PIP_").lower().replace("_", "-")
            found[{"default-timeout": "timeout"}.get(key, key)] = value
    return found


def _pip_files(variables: Mapping[str, str]) -> Iterator[Path]:
    """In pip's order: a later file goes before an earlier one."""
    chosen = variables.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return
    home = Path(variables.get("HOME") or Path.home())
    for folder in variables.get("XDG_CONFIG_DIRS", "").split(":") or ["/etc/xdg"]:
        if folder:
            yield Path(folder) / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    if chosen:
        yield Path(chosen)


def _is_true(word: str) -> bool:
    return word.strip().lower() in ("1", "true", "yes", "on")


if __name__ == "__main__":
    try:
        print(IndexSettings.read(os.environ).as_pip_conf(), end="")
    except SetupError as error:
        sys.exit(f"{error} {error.hint}")
