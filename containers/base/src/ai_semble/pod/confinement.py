"""What the kernel says of the first process of a container: which layers confine it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_FILTERED = "2"
_OWN_TYPES = "ai_semble_"
_CONTEXT_PARTS = 4


@dataclass(frozen=True)
class Confinement:
    """The layers on one process. A label is empty where there is none.

    `apparmor` is a profile and its mode, `ai-semble-llm (enforce)`; `selinux` a context, whose third part is the type.
    """

    seccomp: bool
    no_new_privileges: bool
    apparmor: str = ""
    selinux: str = ""
    selinux_enforces: bool = False

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Confinement:
        """From lines of /proc/PID/status, `AppArmor` and `Label` (its security attributes), and `Enforcing`."""
        label = values.get("Label", "")
        profile = values.get("AppArmor", "")
        return cls(
            values.get("Seccomp") == _FILTERED,
            values.get("NoNewPrivs") == "1",
            # Also a profile with a name may confine nothing: that of crun, which what it starts keeps.
            "" if profile.endswith(("unconfined", "(unconfined)")) else profile,
            label if label.count(":") >= _CONTEXT_PARTS - 1 else "",
            values.get("Enforcing") == "1",
        )

    @property
    def layers(self) -> tuple[str, ...]:
        """In words, each with what weakens it."""
        found = (
            "seccomp" if self.seccomp else "",
            self._apparmor(),
            self._selinux(),
            "no new privileges" if self.no_new_privileges else "",
        )
        return tuple(word for word in found if word)

    def _apparmor(self) -> str:
        _, _, mode = self.apparmor.rstrip(")").rpartition(" (")
        if not self.apparmor:
            return ""
        return "AppArmor" if mode == "enforce" else f"AppArmor ({mode})"

    def _selinux(self) -> str:
        if not self.selinux:
            return ""
        kind = self.selinux.split(":")[2]
        remarks = [
            *([] if kind.startswith(_OWN_TYPES) else [kind]),
            *([] if self.selinux_enforces else ["permissive"]),
        ]
        return f"SELinux ({', '.join(remarks)})" if remarks else "SELinux"

    def document(self) -> dict[str, Any]:
        """For `status --json`."""
        return {
            "seccomp": self.seccomp,
            "no_new_privileges": self.no_new_privileges,
            "apparmor": self.apparmor,
            "selinux": self.selinux,
            "selinux_enforces": self.selinux_enforces,
        }


def in_words(confined: Iterable[tuple[str, Confinement]]) -> str:
    """Of named services: what all have, and otherwise who has what. Empty when nothing is known."""
    groups: dict[str, list[str]] = {}
    for name, confinement in confined:
        groups.setdefault(", ".join(confinement.layers) or "nothing", []).append(name)
    if len(groups) <= 1:
        return next(iter(groups), "")
    return "; ".join(f"{', '.join(names)}: {layers}" for layers, names in groups.items())
