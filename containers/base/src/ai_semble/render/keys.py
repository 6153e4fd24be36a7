"""Which release of Podman brought which Quadlet key.

A key that Podman does not know makes it drop the whole unit, so every key that is written stands here. Where an
older release can be told the same by an argument, the argument is its fallback; `{}` is the value.
Read from `pkg/systemd/quadlet/quadlet.go` of each release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ai_semble.render.variants import Version

_FIRST_WITH_PODS = Version(5, 0)


@dataclass(frozen=True)
class Key:
    """When a key came, and what says the same before."""

    since: Version = _FIRST_WITH_PODS
    argument: str | None = None
    # A key that only makes things nicer is left out where it is not known.
    optional: bool = False


_ALWAYS = Key()

KEYS: dict[str, dict[str, Key]] = {
    "Container": {
        **dict.fromkeys(
            (
                "AddDevice",
                "ContainerName",
                "DropCapability",
                "Environment",
                "Exec",
                "GIDMap",
                "HealthCmd",
                "HealthInterval",
                "HealthOnFailure",
                "HealthRetries",
                "HealthStartupCmd",
                "HealthStartupInterval",
                "HealthStartupRetries",
                "HealthStartupTimeout",
                "HealthTimeout",
                "Image",
                "LogDriver",
                "Network",
                "NoNewPrivileges",
                "Notify",
                "PidsLimit",
                "Pod",
                "PodmanArgs",
                "PublishPort",
                "Pull",
                "ReadOnly",
                "ReadOnlyTmpfs",
                "SeccompProfile",
                "Secret",
                "SecurityLabelType",
                "StopTimeout",
                "Tmpfs",
                "UIDMap",
                "Volume",
                "WorkingDir",
            ),
            _ALWAYS,
        ),
        "Memory": Key(Version(5, 5), "--memory={}"),
    },
    "Pod": {
        **dict.fromkeys(("Network", "PodName", "PodmanArgs", "PublishPort"), _ALWAYS),
        "ExitPolicy": Key(Version(5, 6), "--exit-policy={}"),
    },
    "Volume": {"VolumeName": _ALWAYS},
    "Network": dict.fromkeys(("DisableDNS", "Internal", "NetworkName", "Options"), _ALWAYS),
    "Quadlet": {"DefaultDependencies": Key(Version(5, 3), optional=True)},
}


def entries(section: str, pairs: Iterable[tuple[str, str]], podman: Version) -> Iterator[str]:
    """The lines of a section, in the words of this Podman. An unlisted key is a KeyError, found by any test."""
    for name, value in pairs:
        key = KEYS[section][name]
        if podman >= key.since:
            yield f"{name}={value}"
        elif key.argument is not None:
            yield f"PodmanArgs={key.argument.format(value)}"
        elif not key.optional:
            raise ValueError(f"{section}: {name} needs Podman {key.since}")
