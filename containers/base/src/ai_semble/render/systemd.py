"""The plain systemd units that an environment has under every backend: its target, and what it says.

The target is up only while every service is healthy, and whatever takes it down or raises it again must touch
nothing else; so that is done by jobs that ignore dependencies (docs/adr/0015-units-from-one-table.md).
"""

from __future__ import annotations

from collections.abc import Iterator

from ai_semble.render.headers import drop_in, header
from ai_semble.render.table import CONTAINERS
from ai_semble.render.variants import Controller, Environment, Host

_FOLDER = "~/.config/systemd/user"


def files(host: Host, environment: Environment, *, kube: bool = False) -> dict[str, str]:
    """Under Podman 4 the pod is one unit; under Podman 5 each container has its own."""
    pod = f"{environment.prefix}-pod.service"
    if kube:
        units = {f"{environment.prefix}.target": _target(environment, pod, f"Requires={pod}")}
    else:
        needed = f"Wants={pod} {_services(environment)}\nRequires={_gate_name(environment)}"
        units = {
            f"{environment.prefix}.target": _target(
                environment, f"{_gate_name(environment)} {pod} {_services(environment)}", needed
            ),
            _gate_name(environment): _gate(environment),
        }
    if environment.slice and not kube:
        units[environment.slice] = _slice(host, environment, environment.slice)
    return units | {f"{environment.prefix}.pod.service": _voice(environment)}


def slice_pairs(environment: Environment) -> Iterator[tuple[str, str]]:
    """What a container's unit says of the part of the host that its environment has."""
    if environment.slice:
        yield "Slice", environment.slice


def slice_limits(host: Host, environment: Environment) -> Iterator[str]:
    """What all services may use together, as far as the host delegates it; of what is short, as much as others."""
    limits = environment.limits
    if not environment.is_named:
        return
    if Controller.CPU in host.limits:
        yield "CPUWeight=100"
        if limits.cpus is not None:
            yield f"CPUQuota={round(limits.cpus * 100)}%"
    if Controller.IO in host.limits:
        yield "IOWeight=100"
    if Controller.MEMORY in host.limits and limits.memory_mib is not None:
        yield f"MemoryMax={limits.memory_mib}M"
        yield "MemorySwapMax=0"
    if Controller.PIDS in host.limits:
        # Beside the services' own, what Podman needs to start and to ask them.
        yield f"TasksMax={sum(container.pids for container in CONTAINERS) + 512}"


def _slice(host: Host, environment: Environment, name: str) -> str:
    return (
        header(
            f"The part of this machine that all processes of {environment.prefix} share.",
            drop_in(_FOLDER, name),
        )
        + f"""
[Unit]
Description=Ai-semble: the processes of {environment.prefix}

[Slice]
"""
        + "".join(f"{line}\n" for line in slice_limits(host, environment))
    )


def pod_stand_in(environment: Environment) -> str:
    """What bears the pod's name where there is none: stopped or restarted, it takes all containers with it."""
    name = f"{environment.prefix}-pod.service"
    pairs = "\n".join(f"{key}={value}" for key, value in pod_pairs(environment))
    return (
        header(
            f"All containers of {environment.prefix}, which have no pod: stopping or restarting this does it to them.",
            drop_in(_FOLDER, name),
        )
        + f"""
[Unit]
Description=Ai-semble: the containers of {environment.prefix}
{pairs}
Wants={_services(environment)}
Before={_services(environment)}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=true
"""
    )


def _services(environment: Environment) -> str:
    return " ".join(f"{environment.container(container.service)}.service" for container in CONTAINERS)


def _gate_name(environment: Environment) -> str:
    return f"{environment.prefix}-healthy.service"


def pod_pairs(environment: Environment) -> Iterator[tuple[str, str]]:
    """What the pod's unit says of the others: whatever starts it, all that the services say is repeated."""
    yield "Wants", f"{environment.prefix}.pod.service"


def member_pairs(environment: Environment) -> Iterator[tuple[str, str]]:
    """What the unit of a container says of what stands in for the pod."""
    pod = f"{environment.prefix}-pod.service"
    yield "Wants", pod
    yield "After", pod
    yield "PartOf", pod


def service_pairs(environment: Environment) -> Iterator[tuple[str, str]]:
    """What a container's unit does about the target: when it is up it has it raised, when it ends it lets it go."""
    yield "ExecStartPost", f"-systemctl --user --no-block start {_gate_name(environment)}"
    yield "ExecStopPost", let_go(environment)


def let_go(environment: Environment) -> str:
    """Take the target down, and nothing with it. One that is only being started goes on waiting."""
    target = f"{environment.prefix}.target"
    return f"-bash -c 'systemctl --user --quiet is-active {target} && {only('stop', environment)}'"


def only(verb: str, environment: Environment) -> str:
    """Start or stop the target itself."""
    return f"systemctl --user --no-block --job-mode=ignore-dependencies {verb} {environment.prefix}.target"


def _target(environment: Environment, units: str, needed: str) -> str:
    name = f"{environment.prefix}.target"
    return (
        header(
            f"All of {environment.prefix}: active only when every service is healthy; stopping it stops all.",
            drop_in(_FOLDER, name),
        )
        + f"""
[Unit]
Description=Ai-semble: all of {environment.prefix}
{needed}
After={units}
# Not PartOf= in the units: restarting one would then restart them all.
PropagatesStopTo={units}

[Install]
WantedBy=default.target
"""
    )


def _gate(environment: Environment) -> str:
    """What the target requires instead of the services, of whose deaths and restarts it would hear nothing."""
    name = _gate_name(environment)
    services = _services(environment)
    states = f'"$$(systemctl --user is-active {services} | sort -u)"'
    wait = f'until states={states}; [[ "$$states" != *activating* ]]; do sleep 0.5; done; [[ "$$states" == active ]]'
    otherwise = '{ echo "not every service is healthy: ./scripts/deploy.sh status says which" >&2; exit 1; }'
    return (
        header(
            f"Whether every service of {environment.prefix} is healthy; then {environment.prefix}.target is raised. "
            "A service that comes up has it asked.",
            drop_in(_FOLDER, name),
        )
        + f"""
[Unit]
Description=Ai-semble: whether every service of {environment.prefix} is healthy
After={services}
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=bash -c '{wait} || {otherwise}'
ExecStart={only("start", environment)}
# One that ended just before has let go of a target that was not up yet.
ExecStart=bash -c '[[ {states} == active ]] || {only("stop", environment)}'
"""
    )


def _voice(environment: Environment) -> str:
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
PartOf={environment.prefix}-pod.service

[Service]
ExecStart=journalctl --user --follow --lines=0 --output=cat {matches}
SyslogIdentifier={environment.prefix}
# It speaks for five.
LogRateLimitIntervalSec=0
Restart=always
RestartSec=0
"""
    )
