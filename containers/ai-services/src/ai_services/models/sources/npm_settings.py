"""The user's npm configuration: which registry, which token, which certificates.

Source: npm's documentation, "npmrc".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# The public one, as npm itself has it without configuration.
DEFAULT_REGISTRY = "https://registry.npmjs.org/"
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class NpmSettings:
    """All settings that were found, by npm's own keys."""

    values: Mapping[str, str]

    def registry_of(self, package: str) -> str:
        """The registry of a package: its scope's, otherwise the general one."""
        scope = package.partition("/")[0] if package.startswith("@") else ""
        return self.values.get(f"{scope}:registry") or self.values.get("registry") or DEFAULT_REGISTRY

    @property
    def authorisations(self) -> dict[str, str]:
        """Header values by the prefix of the addresses that they are for."""
        found: dict[str, str] = {}
        for key, value in self.values.items():
            place, _, name = key.rpartition(":")
            if place.startswith("//") and name in ("_authToken", "_auth"):
                header = f"Bearer {value}" if name == "_authToken" else f"Basic {value}"
                found |= {f"https:{place}": header, f"http:{place}": header}
        return found

    @property
    def certificate(self) -> Path | None:
        return Path(self.values["cafile"]) if self.values.get("cafile") else None


def read_npm_settings(variables: Mapping[str, str] = os.environ) -> NpmSettings:
    """Global file, user file, then npm_config_* variables."""
    values: dict[str, str] = {}
    for path in _files(variables):
        values |= _values(path, variables)
    for name, value in variables.items():
        if name.lower().startswith("npm_config_") and value:
            values[name[len("npm_config_") :].lower()] = value
    return NpmSettings(values)


def _files(variables: Mapping[str, str]) -> Iterator[Path]:
    home = Path(variables.get("HOME") or Path.home())
    prefix = Path(variables.get("PREFIX") or "/usr/local")
    yield Path(variables.get("NPM_CONFIG_GLOBALCONFIG") or prefix / "etc" / "npmrc")
    yield Path(variables.get("NPM_CONFIG_USERCONFIG") or home / ".npmrc")


def _values(path: Path, variables: Mapping[str, str]) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    values = {}
    for line in lines:
        key, separator, value = line.partition("=")
        if separator and not line.lstrip().startswith(("#", ";")):
            expanded = VARIABLE.sub(lambda found: variables.get(found[1], ""), value.strip())
            values[key.strip()] = expanded.strip("\"'")
    return values
