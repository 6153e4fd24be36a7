"""Where an environment keeps its things, by the XDG base directory rules."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The folders of one environment. Models are shared by all environments of a user."""

    config_dir: Path
    data_dir: Path
    models_dir: Path
    state_dir: Path

    @classmethod
    def of(cls, environment: str, variables: Mapping[str, str] = os.environ) -> Paths:
        """The folders of the named environment; XDG_* variables are honoured."""
        home = Path(variables.get("HOME") or Path.home())

        def base(variable: str, otherwise: str) -> Path:
            given = variables.get(variable, "")
            return (Path(given) if given.startswith("/") else home / otherwise) / "ai-semble"

        data = base("XDG_DATA_HOME", ".local/share")
        return cls(
            config_dir=base("XDG_CONFIG_HOME", ".config"),
            data_dir=data / "environments" / environment / "data",
            models_dir=data / "models",
            state_dir=base("XDG_STATE_HOME", ".local/state") / environment,
        )

    @property
    def log_dir(self) -> Path:
        return self.state_dir / "logs"

    @property
    def run_dir(self) -> Path:
        return self.state_dir / "run"

    @property
    def tmp_dir(self) -> Path:
        """Scratch space on a real disk (never tmpfs): spilled queries, uploads under way."""
        return self.state_dir / "tmp"

    @property
    def keys_file(self) -> Path:
        return self.state_dir / "keys.sqlite"

    @property
    def certificate_file(self) -> Path:
        """Certificate, chain and key for other machines, which `ai-semble certificate` writes."""
        return self.state_dir / "certificate.pem"

    @property
    def token_file(self) -> Path:
        return self.state_dir / "service.token"

    def make(self) -> None:
        """Create the folders, readable by their owner alone."""
        for folder in (
            self.config_dir,
            self.data_dir,
            self.models_dir,
            self.state_dir,
            self.log_dir,
            self.run_dir,
            self.tmp_dir,
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
