"""Reads what the script gathered on the host. Nothing of it is trusted to be there or to be whole.

The stream has sections: a line `=== NAME [SERVICE]`, then what a command printed.

    meta                 lines `key value`: backend, environment, prefix, port, exposed (where other machines come in)
    containers           `podman container inspect`, JSON
    confinement SERVICE  of its first process, lines `Key: value`: some of /proc/PID/status, and its labels
    unit SERVICE         `systemctl --user show`, lines `Key=value`
    health               the orchestrator's /health, JSON
    health SERVICE       a service's own, when the orchestrator does not answer
    journal SERVICE      what it said last, `journalctl --output=json`
    trouble              what Podman or systemd complained of
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from ai_semble.loglines import error_in
from ai_semble.pod.confinement import Confinement
from ai_semble.schemas.health import EnvironmentHealth, ServiceHealth
from ai_semble.topology import SERVICES

# What Podman says when it asks a container that has just ended; no reason of anything.
_NOISE = ("container is stopped", "container state improper", "is not running")

# Of an image's id, as `podman images` and `deploy.sh update` show it.
_SHORT_ID = 12

Sections = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Container:
    """A container as Podman sees it. Bytes, seconds since the epoch; 0 is "none"."""

    state: str
    health: str = ""
    started_at: float = 0
    restarts: int = 0
    exit_code: int = 0
    was_out_of_memory: bool = False
    image: str = ""
    digest: str = ""
    memory_limit: int = 0

    @property
    def is_running(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True)
class Unit:
    """A systemd unit: `active`, `activating`, `failed` ..., and why it ended last."""

    active: str = ""
    sub: str = ""
    result: str = ""
    restarts: int = 0


@dataclass(frozen=True)
class Facts:
    """Everything that was gathered at one moment."""

    meta: Mapping[str, str]
    containers: Mapping[str, Container]
    units: Mapping[str, Unit]
    confinements: Mapping[str, Confinement]
    health: EnvironmentHealth | None
    healths: Mapping[str, ServiceHealth]
    last_errors: Mapping[str, str]
    trouble: str

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Facts:
        sections = split(lines)
        meta = dict(_pairs(sections.get(("meta", ""), ""), " "))
        health = _environment_health(sections.get(("health", ""), ""))
        own = {name: _service_health(sections.get(("health", name), "")) for name in SERVICES}
        healths = {name: found for name, found in own.items() if found is not None}
        return cls(
            meta,
            _containers(sections.get(("containers", ""), ""), meta.get("prefix", "ai-semble")),
            {name: _unit(text) for (kind, name), text in sections.items() if kind == "unit"},
            {
                name: Confinement.of(dict(_pairs(text, ":")))
                for (kind, name), text in sections.items()
                if kind == "confinement"
            },
            health,
            {**healths, **(health.services if health else {})},
            {name: last_error(text) for (kind, name), text in sections.items() if kind == "journal"},
            sections.get(("trouble", ""), "").strip(),
        )


def split(lines: Iterable[str]) -> Sections:
    """The sections by name and service."""
    found: dict[tuple[str, str], list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.startswith("=== "):
            kind, _, service = line[4:].strip().partition(" ")
            current = found.setdefault((kind, service), [])
        else:
            current.append(line)
    return {name: "".join(parts) for name, parts in found.items()}


def messages(journal: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Container name and message of every line of `journalctl --output=json`, pieces of long ones put together."""
    begun: dict[str, str] = {}
    for line in journal:
        entry = _json(line)
        if not isinstance(entry, dict):
            continue
        name = str(entry.get("CONTAINER_NAME") or "")
        text = begun.pop(name, "") + _text(entry.get("MESSAGE"))
        if entry.get("CONTAINER_PARTIAL_MESSAGE") == "true":
            begun[name] = text
        else:
            yield name, text.rstrip("\n")  # conmon leaves the line's end in it
    yield from begun.items()


def last_error(journal: str) -> str:
    """The newest line that tells of an error, in short."""
    said = (text for _, text in messages(journal.splitlines()) if not any(noise in text for noise in _NOISE))
    errors = (error_in(text.encode()) for text in said)
    return next((error for error in reversed(list(errors)) if error), "")


def _text(message: Any) -> str:
    """The journal gives bytes that are not UTF-8 as a list of numbers, and repeated fields as a list of texts."""
    match message:
        case str():
            return message
        case [int(), *_]:
            return bytes(message).decode("utf-8", "replace")
        case [str(), *_]:
            return "\n".join(map(str, message))
        case _:
            return ""


def _containers(text: str, prefix: str) -> dict[str, Container]:
    found = _json(text)
    containers = {}
    for described in found if isinstance(found, list) else ():
        if isinstance(described, dict):
            name = str(described.get("Name", "")).removeprefix(f"{prefix}-")
            containers[name] = _container(described)
    return containers


def _container(described: Mapping[str, Any]) -> Container:
    state = _table(described, "State")
    health = _table(state, "Health") or _table(state, "Healthcheck")
    return Container(
        state=str(state.get("Status") or "unknown"),
        health=str(health.get("Status") or ""),
        started_at=_seconds(str(state.get("StartedAt") or "")),
        restarts=_number(described.get("RestartCount")),
        exit_code=_number(state.get("ExitCode")),
        was_out_of_memory=state.get("OOMKilled") is True,
        image=str(described.get("Image") or "").removeprefix("sha256:")[:_SHORT_ID],
        digest=str(described.get("ImageDigest") or ""),
        memory_limit=_number(_table(described, "HostConfig").get("Memory")),
    )


def _unit(text: str) -> Unit:
    values = dict(_pairs(text, "="))
    return Unit(
        values.get("ActiveState", ""),
        values.get("SubState", ""),
        values.get("Result", ""),
        _number(values.get("NRestarts")),
    )


def _environment_health(text: str) -> EnvironmentHealth | None:
    try:
        return EnvironmentHealth.model_validate_json(text)
    except ValidationError:
        return None


def _service_health(text: str) -> ServiceHealth | None:
    try:
        return ServiceHealth.model_validate_json(text)
    except ValidationError:
        return None


def _pairs(text: str, separator: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, found, value = line.partition(separator)
        if found:
            yield key, value.strip()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _table(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key)
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _seconds(stamp: str) -> float:
    """Podman's times have nanoseconds; year 1 means never."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return 0
    return max(moment.timestamp(), 0) if moment.year > 1 else 0
