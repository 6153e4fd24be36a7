"""Where the environment is, and how it is asked: arguments before variables before a file."""

from __future__ import annotations

import ipaddress
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ai_semble_client.errors import InvalidSettings

URL = "AI_SEMBLE_URL"
API_KEY = "AI_SEMBLE_API_KEY"
CA_FILE = "AI_SEMBLE_CA_FILE"
DEFAULT_URL = "http://localhost:8080"
_VARIABLES = {"url": URL, "api_key": API_KEY, "ca_file": CA_FILE}
_KINDS: Mapping[str, tuple[type, ...]] = {
    "url": (str,),
    "api_key": (str,),
    "ca_file": (str,),
    "verify": (bool,),
    "timeout_s": (int, float),
    "retries": (int,),
}


@dataclass(frozen=True)
class Settings:
    """How an environment is reached. `timeout_s` is the longest silence of the server, not of a whole answer."""

    url: str = DEFAULT_URL
    api_key: str = field(default="", repr=False)
    ca_file: str = ""
    verify: bool = True
    timeout_s: float = 120
    retries: int = 4

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidSettings(
                f"{self.url!r} is no address", f"Give one such as {DEFAULT_URL}, or set {URL}."
            )
        if self.timeout_s <= 0 or self.retries < 0:
            raise InvalidSettings("timeout_s must be above 0, and retries at least 0", "Correct them.")

    @property
    def is_local(self) -> bool:
        """Whether the environment is on this machine; then no proxy is asked."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    @classmethod
    def load(cls, variables: Mapping[str, str] = os.environ, **given: Any) -> Settings:
        """What is given and not None, then AI_SEMBLE_URL and its like, then the file, then the defaults.

        Raises InvalidSettings.
        """
        path = settings_file(variables)
        from_file = _read(path) if path.exists() else {}
        from_variables = {key: variables[name] for key, name in _VARIABLES.items() if variables.get(name)}
        chosen = {key: value for key, value in given.items() if value is not None}
        return cls(**{**from_file, **from_variables, **chosen})


def settings_file(variables: Mapping[str, str] = os.environ) -> Path:
    """`ai-semble-client/config.toml` in the XDG configuration folder.

    Not in the services' own folder: all containers see that one, and would see the key.
    """
    given = variables.get("XDG_CONFIG_HOME", "")
    home = Path(variables.get("HOME") or Path.home())
    base = Path(given) if given.startswith("/") else home / ".config"
    return base / "ai-semble-client" / "config.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"{path} cannot be read: {error}", "Correct the file, or delete it.") from error
    known = {item.name for item in fields(Settings)}
    for key, value in values.items():
        if key not in known:
            raise InvalidSettings(
                f"{path} has an unknown key: {key}", f"Known are {', '.join(sorted(known))}."
            )
        if not isinstance(value, _KINDS[key]) or (isinstance(value, bool) and bool not in _KINDS[key]):
            raise InvalidSettings(
                f"{path}: {key} has a value of the wrong type", f"{key} is {_KINDS[key][0].__name__}."
            )
    if "api_key" in values and os.name == "posix" and mode & 0o077:
        raise InvalidSettings(f"{path} has an API key, and others may read it", f"Run: chmod 600 {path}")
    return values
