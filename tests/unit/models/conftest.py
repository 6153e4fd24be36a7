"""A mirror, an empty store, and a puller that knows only the two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ai_services.models.catalogue import ModelSpec, load_catalogue
from ai_services.models.progress import Advance
from ai_services.models.pull import Puller
from ai_services.models.sources.resolve import Resolver
from ai_services.models.store import ModelStore
from tests.support.mirror import Mirror, mirror

MakePuller = Callable[..., Puller]
MakeModels = Callable[[str], list[ModelSpec]]


@dataclass
class Told:
    """A reporter that keeps what it is told."""

    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    ends: list[tuple[str, int | None, int]] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    @contextmanager
    def transfer(self, label: str, total: int | None, done: int) -> Iterator[Advance]:
        self.lines.append(f"{label}: {total}")
        position = done

        def advance(count: int) -> None:
            nonlocal position
            position += count

        yield advance
        self.ends.append((label, total, position))


@pytest.fixture
def net() -> Iterator[Mirror]:
    with mirror() as state:
        yield state


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def variables(net: Mirror, tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose pip, npm and hub client are configured for the mirror."""
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_DIRS": str(tmp_path / "etc"),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_INDEX_URL": f"{net.base}/simple",
        "NPM_CONFIG_REGISTRY": f"{net.base}/npm/",
        "NPM_CONFIG_GLOBALCONFIG": "/dev/null",
        "HF_ENDPOINT": net.base,
    }


@pytest.fixture
def make_puller(store: ModelStore, told: Told, variables: dict[str, str]) -> MakePuller:
    def make(**settings: Any) -> Puller:
        return Puller(store, told, Resolver(variables), **{"pause": 0.01, **settings})

    return make


@pytest.fixture
def make_models(tmp_path: Path) -> MakeModels:
    """Models from the text of a user's catalogue."""

    def make(text: str) -> list[ModelSpec]:
        path = tmp_path / "models.toml"
        path.write_text(text)
        shipped = set(load_catalogue().models)
        return [model for model in load_catalogue([path]) if model.name not in shipped]

    return make
