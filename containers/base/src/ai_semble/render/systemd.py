"""The plain systemd units that an environment has under every backend: its target, and what it says."""

from __future__ import annotations

from ai_semble.render.headers import drop_in, header
from ai_semble.render.table import CONTAINERS
from ai_semble.render.variants import Environment

_FOLDER = "~/.config/systemd/user"


def files(environment: Environment, *, kube: bool = False) -> dict[str, str]:
    """Under Podman 4 the pod is one unit; under Podman 5 each container has its own."""
    units = (
        [] if kube else [f"{environment.container(container.service)}.service" for container in CONTAINERS]
    )
    return {
        f"{environment.prefix}.target": target(environment, [f"{environment.prefix}-pod.service", *units]),
        f"{environment.prefix}.pod.service": voice(environment),
    }


def pod_pairs(environment: Environment) -> list[tuple[str, str]]:
    """What the pod's unit says of the target.

    A start that failed, and is tried again with success, would leave the target down; the pod holds it up.
    """
    return [("Upholds", f"{environment.prefix}.target")]


def target(environment: Environment, units: list[str]) -> str:
    """Active when every unit is: each says so only when its service is healthy."""
    name = f"{environment.prefix}.target"
    all_units = " ".join(units)
    return (
        header(
            f"All of {environment.prefix}: starting it waits until every service is healthy, stopping it stops all.",
            drop_in(_FOLDER, name),
        )
        + f"""
[Unit]
Description=Ai-semble: all of {environment.prefix}
Requires={all_units}
After={all_units}
# Not PartOf= in the units: restarting one would then restart them all.
PropagatesStopTo={all_units}
Wants={environment.prefix}.pod.service

[Install]
WantedBy=default.target
"""
    )


def voice(environment: Environment) -> str:
    """Podman files each container's lines under its own unit; this unit repeats them all under one name."""
    name = f"{environment.prefix}.pod.service"
    containers = [f"{environment.container(container.service)}" for container in CONTAINERS]
    matches = " ".join(f"CONTAINER_NAME={name}" for name in containers)
    return (
        header(
            f"What all containers of {environment.prefix} say: `journalctl --user -u {environment.prefix}.pod`.",
            drop_in(_FOLDER, name),
        )
        + f"""
[Unit]
Description=Ai-semble: what the services of {environment.prefix} say
Before={environment.prefix}-pod.service
PartOf={environment.prefix}.target

[Service]
ExecStart=journalctl --user --follow --lines=0 --output=cat {matches}
SyslogIdentifier={environment.prefix}
# It speaks for five.
LogRateLimitIntervalSec=0
Restart=always
RestartSec=0
"""
    )
