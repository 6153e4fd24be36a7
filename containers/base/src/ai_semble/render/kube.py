"""A Kubernetes pod for `podman kube play`, for Podman 4, which has no Quadlets of pods.

Podman 4.3 reads less of it than later ones: `startupProbe`, `medium: Memory` and `nvidia.com/gpu` pass it by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ai_semble.render import systemd
from ai_semble.render.headers import drop_in, header
from ai_semble.render.settings import seccomp_folder, settings
from ai_semble.render.table import (
    CONFIG,
    CONTAINERS,
    HEALTHY,
    RHYTHM,
    SECRETS,
    SHELL,
    SOURCE,
    TMP,
    TOKEN_NAME,
    UID,
    Container,
    Scratch,
)
from ai_semble.render.variants import EXPOSED_PORT, Controller, Environment, Host, Version
from ai_semble.render.yaml import Value, dump
from ai_semble.topology import ORCHESTRATOR

# Before, the words stood the other way round.
_KUBE_PLAY = Version(4, 2)
# Podman 4 knows `seccompProfile` of no release of Kubernetes, only the annotation from before.
_PROFILE_OF = "container.seccomp.security.alpha.kubernetes.io/"
_CONFINEMENT: Mapping[str, Value] = {
    "runAsUser": UID,
    "runAsGroup": UID,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


def files(host: Host, environment: Environment) -> dict[str, str]:
    """All files of an environment, by name."""
    return {
        f"{environment.prefix}.yaml": _document(host, environment),
        f"{environment.prefix}-pod.service": _pod_service(host, environment),
    } | systemd.files(host, environment, kube=True)


def _document(host: Host, environment: Environment) -> str:
    what = header(
        f"The pod {environment.prefix}, as {environment.prefix}-pod.service gives it to `podman kube play`.",
        f"To change it, copy it, and name the copy in ~/.config/systemd/user/{environment.prefix}-pod.service.d/"
        "50-mine.conf: `[Service]`, `Environment=AI_SEMBLE_POD=/path/of/the/copy.yaml`; then "
        "`./scripts/deploy.sh restart`.",
    )
    return what + dump(_pod(host, environment))


def _pod(host: Host, environment: Environment) -> Mapping[str, Value]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": environment.prefix,
            "labels": {"app": environment.prefix},
            "annotations": {
                **{f"{_PROFILE_OF}{c.service.name}": f"localhost/{c.seccomp}" for c in CONTAINERS},
                # Read by scripts/lib/backends/kube.sh, since the network is made before the pod.
                **({"ai-semble/network": "internal"} if environment.internal else {}),
            },
        },
        "spec": {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": RHYTHM.stop_s,
            "containers": [
                *(_container(host, environment, container) for container in CONTAINERS),
                *([_shell(host, environment)] if environment.source else []),
            ],
            "volumes": list(_volumes(host, environment)),
        },
    }


def _container(host: Host, environment: Environment, container: Container) -> Mapping[str, Value]:
    ports = list(_ports(environment, container))
    published: Mapping[str, Value] = {"ports": ports} if ports else {}
    variables = settings(environment, container) | {"AI_SEMBLE_TOKEN_FILE": f"{SECRETS}/{TOKEN_NAME}"}
    return {
        "name": container.service.name,
        "image": environment.image(container.service.name),
        "imagePullPolicy": "Never",
        **_command(environment, container),
        **published,
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "securityContext": {**_CONFINEMENT, **_domain(host, container)},
        "livenessProbe": {
            "exec": {"command": [HEALTHY, "live", str(container.service.port)]},
            "initialDelaySeconds": RHYTHM.alive_after_s,
            "periodSeconds": RHYTHM.interval_s,
            "timeoutSeconds": RHYTHM.timeout_s,
            "failureThreshold": RHYTHM.retries,
        },
        **_limits(host, environment, container),
        "volumeMounts": list(_mounts(host, environment, container, container.service.name)),
    }


def _ports(environment: Environment, container: Container) -> Iterator[Mapping[str, Value]]:
    port = environment.published(container.service)
    if port is not None:
        yield {"containerPort": container.service.port, "hostPort": port, "hostIP": "127.0.0.1"}
    if environment.exposed is not None and container.service is ORCHESTRATOR:
        exposed = environment.exposed
        yield {"containerPort": EXPOSED_PORT, "hostPort": exposed.port, "hostIP": exposed.address}


def _shell(host: Host, environment: Environment) -> Mapping[str, Value]:
    """The tools beside the services: the same network, source and token, and nothing that it could break."""
    variables = settings(environment, SHELL) | {"AI_SEMBLE_TOKEN_FILE": f"{SECRETS}/{TOKEN_NAME}"}
    return {
        "name": "shell",
        "image": environment.image("base"),
        "imagePullPolicy": "Never",
        # Bash hears SIGTERM only between two commands; `sleep`, as the first process, never.
        "args": ["bash", "-c", "trap exit TERM; while true; do sleep 1; done"],
        "workingDir": SOURCE,
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "securityContext": _CONFINEMENT,
        **_limits(host, environment, SHELL),
        "volumeMounts": [*_mounts(host, environment, SHELL, "shell")],
    }


def _command(environment: Environment, container: Container) -> Mapping[str, Value]:
    return {"args": [container.service.program, "--reload"]} if environment.source else {}


def _domain(host: Host, container: Container) -> Mapping[str, Value]:
    """Without our module Podman takes its own type, container_t."""
    return {"seLinuxOptions": {"type": container.domain}} if host.selinux_module else {}


def _limits(host: Host, environment: Environment, container: Container) -> Mapping[str, Value]:
    limits: dict[str, Value] = {}
    if Controller.MEMORY in host.limits:
        memory = container.memory_mib(environment.limits)
        limits["memory"] = f"{memory // 1024}Gi" if memory % 1024 == 0 else f"{memory}Mi"
    if Controller.CPU in host.limits:
        cpus = container.processors(environment.limits)
        limits["cpu"] = int(cpus) if cpus == int(cpus) else f"{round(cpus * 1000)}m"
    return {"resources": {"limits": limits}} if limits else {}


def _mounts(
    host: Host, environment: Environment, container: Container, name: str
) -> Iterator[Mapping[str, Value]]:
    # What Podman takes after the colon is not Kubernetes; it is the only way to have a label.
    label = ":z" if host.selinux else ""
    yield {"name": "config", "mountPath": f"{CONFIG}{label}", "readOnly": True}
    yield {"name": "token", "mountPath": SECRETS, "readOnly": True}
    for mount in container.mounts:
        read_only: Mapping[str, Value] = {} if mount.writable else {"readOnly": True}
        yield {"name": mount.volume, "mountPath": mount.target, **read_only}
    for scratch in container.scratch:
        yield {"name": _scratch_name(environment, name, scratch.target), "mountPath": scratch.target}
    if environment.source:
        yield {"name": "source", "mountPath": f"{SOURCE}{label}", "readOnly": True}


def _scratch_name(environment: Environment, name: str, target: str) -> str:
    """Of this environment alone: Podman 4.3 makes a volume of that name of it."""
    return f"{environment.prefix}-{name}-{'tmp' if target == TMP else 'home'}"


def _scratch(environment: Environment) -> Iterator[tuple[str, Scratch]]:
    """The folders in memory of all containers, by the names of their volumes."""
    containers = [(container.service.name, container) for container in CONTAINERS]
    if environment.source:
        containers.append(("shell", SHELL))
    for name, container in containers:
        for scratch in container.scratch:
            yield _scratch_name(environment, name, scratch.target), scratch


def _volumes(host: Host, environment: Environment) -> Iterator[Mapping[str, Value]]:
    yield {"name": "config", "hostPath": {"path": host.config_dir, "type": "Directory"}}
    yield _named("token", environment.token)
    for volume in ("models", "data", "state"):
        yield _named(volume, environment.volume(volume))
    for name, scratch in _scratch(environment):
        empty: Mapping[str, Value] = {"medium": "Memory", "sizeLimit": f"{scratch.size_mib}Mi"}
        yield {"name": name, "emptyDir": empty}
    if environment.source:
        yield {"name": "source", "hostPath": {"path": environment.source, "type": "Directory"}}


def _named(name: str, volume: str) -> Mapping[str, Value]:
    return {"name": name, "persistentVolumeClaim": {"claimName": volume}}


def _pod_service(host: Host, environment: Environment) -> str:
    prefix = environment.prefix
    name = f"{prefix}-pod.service"
    play = "kube play" if host.podman >= _KUBE_PLAY else "play kube"
    pairs = "\n".join(f"{key}={value}" for key, value in systemd.pod_pairs(environment))
    return (
        header(
            f"The pod {prefix}, for Podman 4: started when all services are healthy.",
            drop_in("~/.config/systemd/user", name),
        )
        + f"""
[Unit]
Description=Ai-semble: the pod {prefix}
RequiresMountsFor=%t/containers
StartLimitIntervalSec=0
{pairs}

[Service]
Environment=PODMAN_SYSTEMD_UNIT=%n
Environment=AI_SEMBLE_POD=%E/containers/ai-semble/{prefix}.yaml
ExecStartPre=podman {play} --replace --network {environment.network} --log-driver journald \\
  --seccomp-profile-root {seccomp_folder(environment)} ${{AI_SEMBLE_POD}}
{_slice_limits(host, environment)}ExecStartPre=bash -c 'until {_all_healthy(environment)}; do sleep 1; done'
# Podman restarts what ends. What hung may be left down, or half stopped, so it is stopped and started here.
# The target is up while all are healthy. What was removed behind Podman's back ends this, and all is made again.
ExecStart=bash -c '{_watch(environment)}'
ExecStop=podman pod stop --ignore --time {RHYTHM.stop_s} {prefix}
ExecStopPost={systemd.let_go(environment)}
ExecStopPost=podman pod rm --ignore --force {prefix}
# Where Podman makes volumes of what should be in memory, they are emptied like this.
ExecStopPost=-podman volume rm --force {" ".join(name for name, _ in _scratch(environment))}
TimeoutStartSec={max(container.start_limit_s for container in CONTAINERS)}
TimeoutStopSec={RHYTHM.stop_s + 40}
Restart=always
RestartSec={RHYTHM.restart_s}
"""
    )


def _slice_limits(host: Host, environment: Environment) -> str:
    """Podman 4 is not told in which slice a pod is; it makes one, which can be given the limits afterwards."""
    pairs = " ".join(systemd.slice_limits(host, environment))
    if not pairs:
        return ""
    path = f"podman pod inspect --format {{{{.CgroupPath}}}} {environment.prefix}"
    command = f'systemctl --user set-property --runtime "$$(basename "$$({path})")" {pairs}'
    return f"ExecStartPre=-bash -c '{command.replace('%', '%%')}'\n"


def _all_healthy(environment: Environment) -> str:
    """All services share the pod's network, so one container can ask for all."""
    asked = " && ".join(f"{HEALTHY} {container.started} {container.service.port}" for container in CONTAINERS)
    return f'podman exec {environment.prefix}-orchestrator bash -c "{asked}"'


def _watch(environment: Environment) -> str:
    """Wait for an end or a removal; after an end Podman has the first try. The watch is there before all are asked, so
    that no end is missed.

    Nothing is heard of what is left half stopped: Podman's restart of what hung ends with the check of health that it
    is a part of, in some releases, and a start meanwhile ends it, too. So that is looked for now and then.
    """
    names = [environment.container(container.service) for container in CONTAINERS]
    all_exist = " && ".join(f"podman container exists {name}" for name in names)
    filters = " ".join(f"--filter container={name}" for name in names)
    events = f"podman events --filter event=remove --filter event=died {filters}"
    states = f'podman ps --all --filter pod={environment.prefix} --format "{{{{.State}}}} {{{{.Names}}}}"'
    # The status of `read` is above 128 when its time is over, else something was said or nobody will say anything.
    heard = f"read -r -t {RHYTHM.look_s} _ <&3 || (( $$? < 128 )) || {states} | grep -iq ^stopping"
    stop = (
        f'{states} | sed -n "s/^[Ss]topping //p" | xargs --no-run-if-empty podman stop --time {RHYTHM.stop_s}'
    )
    up, down = systemd.only("start", environment), systemd.only("stop", environment)
    steps = (
        f"exec 3< <({events})",
        # What is started leaves processes that keep nothing of ours.
        f"{{ {stop}; podman pod start {environment.prefix}; }} 3<&-",
        f"if {_all_healthy(environment)}; then {up}; until {heard}; do :; done; {down}; fi",
        "kill $$!",
        "sleep 5",
    )
    return f"while {all_exist}; do {'; '.join(steps)}; done"
