"""One exposition of all services' metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ai_semble.config import Config
from ai_semble.errors import AiSembleError
from ai_semble.metrics import Metrics
from orchestrator.gateway.upstreams import Upstreams

_UP = "ai_semble_up"


class Scrape:
    """Asks every service for its metrics; one that does not answer only lacks its samples."""

    def __init__(self, config: Config, metrics: Metrics, upstreams: Upstreams) -> None:
        self._timeout_s = config.orchestrator.health_timeout_s
        self._metrics = metrics
        self._upstreams = upstreams

    async def text(self) -> str:
        names = list(self._upstreams.services)
        answers = await asyncio.gather(*(self._ask(name) for name in names))
        found = dict(zip(names, answers, strict=True))
        up = {self._metrics.service: True, **{name: text is not None for name, text in found.items()}}
        own = self._metrics.render().decode()
        return merge([_ups(up), own, *(text for text in found.values() if text is not None)])

    async def _ask(self, name: str) -> str | None:
        try:
            return (await self._upstreams.ask(name, "/metrics", self._timeout_s)).decode("utf-8", "replace")
        except AiSembleError:
            return None


@dataclass
class _Family:
    comments: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)


def merge(expositions: Iterable[str]) -> str:
    """Expositions (text format 0.0.4) as one: every family once, with the samples of all.

    What a family is called and means is taken from the first that has it; Prometheus refuses a scrape that
    says it twice.
    """
    families: dict[str, _Family] = {}
    for exposition in expositions:
        _add(exposition, families)
    lines = [line for family in families.values() for line in (*family.comments, *family.samples)]
    return "\n".join(lines) + "\n"


def _add(exposition: str, families: dict[str, _Family]) -> None:
    described = {name for name, family in families.items() if family.comments}
    current = ""
    for line in exposition.splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            current = line.split(" ", 3)[2]
            family = families.setdefault(current, _Family())
            if current not in described:
                family.comments.append(line)
        elif line and not line.startswith("#"):
            families.setdefault(_family_of(line, current), _Family()).samples.append(line)


def _family_of(sample: str, current: str) -> str:
    """A histogram's samples have suffixes; what does not belong to the last description is its own family."""
    name = sample.partition("{")[0].partition(" ")[0]
    suffix = name.removeprefix(current)
    return current if current and suffix in ("", "_bucket", "_sum", "_count", "_total", "_created") else name


def _ups(up: Mapping[str, bool]) -> str:
    lines = [f"# HELP {_UP} Whether the service answers.", f"# TYPE {_UP} gauge"]
    lines += [f'{_UP}{{service="{name}"}} {float(answers)}' for name, answers in up.items()]
    return "\n".join(lines)
