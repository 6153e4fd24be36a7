"""The renderings that are kept as golden folders, which together cover each version, ability and kind of pod.

python -m tests.unit.render.variants     # write them again, then read the difference
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ai_semble.render.rendering import render
from ai_semble.render.variants import Controller, Environment, Exposed, Host, Limits, Topology, Version

GOLDENS = Path(__file__).with_name("goldens")
REPOSITORY = Path(__file__).parents[3]

_DEFAULT = Environment()
_NONE: frozenset[Controller] = frozenset()
SECOND = Environment("research", 8180, number=1, limits=Limits(memory_mib=2560, cpus=1.5))
_MEMORY = frozenset({Controller.MEMORY, Controller.PIDS})


@dataclass(frozen=True)
class Variant:
    """One rendering."""

    host: Host
    environment: Environment = _DEFAULT

    def files(self) -> dict[str, str]:
        return render(self.host, self.environment)


COMMITTED = {
    "quadlets": Variant(Host(Version(5, 4))),
    "pods": Variant(Host(Version(4, 3))),
}

VARIANTS = {
    "podman-5.0-no-limits": Variant(Host(Version(5, 0), limits=_NONE)),
    "podman-5.3-gpu-selinux": Variant(Host(Version(5, 3), limits=_MEMORY, gpu=True, selinux=True)),
    "podman-5.4-development": Variant(
        Host(Version(5, 4), limits=_NONE, selinux=True),
        Environment.of("default", source="/home/you/ai-semble"),
    ),
    "podman-5.4-second-environment": Variant(Host(Version(5, 4)), SECOND),
    "podman-5.4-second-environment-network": Variant(
        Host(Version(5, 4), limits=_NONE, gpu=True),
        Environment("big-lab", 8190, number=2, gpu="1", private_models=True, topology=Topology.NETWORK),
    ),
    "podman-4.3-second-environment": Variant(Host(Version(4, 3)), SECOND),
    "podman-5.4-exposed": Variant(Host(Version(5, 4)), Environment(exposed=Exposed("192.168.1.5", 443))),
    "podman-5.5-gpu": Variant(Host(Version(5, 5), gpu=True)),
    "podman-5.6-selinux": Variant(Host(Version(5, 6), selinux=True)),
    "podman-5.4-selinux-module": Variant(Host(Version(5, 4), selinux=True, selinux_module=True)),
    "podman-4.0-no-limits": Variant(Host(Version(4, 0), limits=_NONE)),
    "podman-4.9-selinux": Variant(Host(Version(4, 9), selinux=True)),
    "podman-4.9-selinux-module": Variant(Host(Version(4, 9), selinux=True, selinux_module=True)),
    "podman-4.3-exposed": Variant(Host(Version(4, 3)), Environment(exposed=Exposed("0.0.0.0"))),  # noqa: S104 - it is
    "podman-5.4-no-egress": Variant(Host(Version(5, 4)), Environment(internal=True)),
    "podman-5.4-network": Variant(
        Host(Version(5, 4)), Environment(topology=Topology.NETWORK, exposed=Exposed("192.168.1.5", 443))
    ),
    "podman-4.3-no-egress": Variant(Host(Version(4, 3)), Environment(internal=True)),
    "podman-4.3-development": Variant(
        Host(Version(4, 3), limits=_NONE), Environment.of("default", source="/home/you/ai-semble")
    ),
}


def read(folder: Path) -> dict[str, str]:
    """The text of each file of a folder."""
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def renew(folder: Path, files: dict[str, str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def main() -> None:
    for name, variant in VARIANTS.items():
        renew(GOLDENS / name, variant.files())
    for name, variant in COMMITTED.items():
        renew(REPOSITORY / name, variant.files())


if __name__ == "__main__":
    main()
