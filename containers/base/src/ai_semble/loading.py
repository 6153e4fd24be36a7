"""Reads the configuration: defaults, then the file, then variables, remembering which gave what."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ai_semble.config import Config
from ai_semble.errors import FieldProblem, InvalidConfiguration

PREFIX = "AI_SEMBLE_"
FILE_VARIABLE = "AI_SEMBLE_CONFIG"
DEFAULT = "default"

Tables = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration and, for every key that is not a default, where it came from."""

    config: Config
    origins: Mapping[tuple[str, str], str]

    def rows(self) -> Iterator[tuple[str, str, Any, str]]:
        """Section, key, value and origin of every key."""
        for section, table in self.config.model_dump(mode="json").items():
            for key, value in table.items():
                yield section, key, value, self.origins.get((section, key), DEFAULT)


def load_config(variables: Mapping[str, str] = os.environ) -> Config:
    """The effective configuration."""
    return load(variables).config


def load(variables: Mapping[str, str] = os.environ) -> LoadedConfig:
    """The effective configuration with its origins; raises InvalidConfiguration."""
    tables: Tables = {}
    origins: dict[tuple[str, str], str] = {}
    path = config_file(variables)
    if path.exists() or FILE_VARIABLE in variables:
        _merge(tables, origins, _read(path), f"file {path}")
    for name, section, key in _variables(variables):
        _merge(tables, origins, {section: {key: _parse(variables[name], section, key)}}, f"variable {name}")
    try:
        return LoadedConfig(Config.model_validate(tables), origins)
    except ValidationError as error:
        raise _invalid(error, origins) from error


def config_file(variables: Mapping[str, str] = os.environ) -> Path:
    """The file that is read: AI_SEMBLE_CONFIG, otherwise ai-semble.toml in the XDG configuration folder."""
    if given := variables.get(FILE_VARIABLE):
        return Path(given)
    home = variables.get("XDG_CONFIG_HOME") or str(Path(variables.get("HOME") or Path.home()) / ".config")
    return Path(home) / "ai-semble" / "ai-semble.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidConfiguration(f"{path}: {error}") from error


def _variables(variables: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in sorted(variables):
        section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
        if name.startswith(PREFIX) and separator:
            yield name, section, key


def _parse(text: str, section: str, key: str) -> Any:
    """A variable's text as TOML where the key is a list, otherwise as it is (pydantic converts it)."""
    field = Config.model_fields.get(section)
    table = field.annotation if field else None
    known = getattr(table, "model_fields", {}).get(key)
    if known is not None and isinstance(known.default, tuple):
        if text.lstrip().startswith("["):
            return tomllib.loads(f"value = {text}")["value"]
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _merge(tables: Tables, origins: dict[tuple[str, str], str], new: Mapping[str, Any], origin: str) -> None:
    for section, table in new.items():
        if not isinstance(table, Mapping):
            raise InvalidConfiguration(f"{origin}: `{section}` stands outside any table")
        tables.setdefault(section, {}).update(table)
        origins.update({(section, key): origin for key in table})


def _invalid(error: ValidationError, origins: Mapping[tuple[str, str], str]) -> InvalidConfiguration:
    problems = []
    for item in error.errors():
        path = [str(part) for part in item["loc"]]
        origin = origins.get((path[0], path[1]), "") if len(path) > 1 else ""
        problems.append(FieldProblem(".".join(path), f"{item['msg']}{f' ({origin})' if origin else ''}"))
    sentence = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
    return InvalidConfiguration(sentence, fields=problems)
