"""Who asks for jobs, and whose they see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asker:
    """`owner` is the id of a key, to which what it submits belongs; None without one."""

    owner: str | None
    sees_all: bool

    @property
    def sight(self) -> str | None:
        """The owner whose jobs alone there are for this asker; None for everybody's."""
        return None if self.sees_all else self.owner

    def sees(self, owner: str | None) -> bool:
        return self.sees_all or owner == self.owner


# Where no key is asked for, or the environment itself asks.
ANYBODY = Asker(None, sees_all=True)
