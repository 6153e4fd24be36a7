"""Quadlets, for Podman 5: a pod, its containers, volumes and network, each a file that Podman makes a unit of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ai_semble.render import systemd
from ai_semble.render.headers import drop_in, header
from ai_semble.render.keys import entries
from ai_semble.render.settings import seccomp_folder, settings
from ai_semble.render.table import (
    CONFIG,
    CONTAINERS,
    HEALTHY,
    RHYTHM,
    SHELL,
    SOURCE,
    TOKEN_NAME,
    UID,
    Container,
    Mount,
    Scratch,
)
from ai_semble.render.variants import (
    EXPOSED_PORT,
    IMAGES_USER,
    MODELS_VOLUME,
    NO_GPU,
    Controller,
    Environment,
    Host,
)
from ai_semble.topology import ORCHESTRATOR

Pairs = Iterable[tuple[str, str]]

# Without it the host of all networks, which is the user's, hands packets from one to the other.
_ISOLATE = ("Options", "isolate=strict")

_VOLUMES = {
    "models": "the models",
    "data": "the datasets",
    "state": "jobs and what else the orchestrator remembers",
}


def files(host: Host, environment: Environment) -> dict[str, str]:
    """All files of an environment, by name."""
    prefix = environment.prefix
    rendered = {f"{prefix}.network": _network(host, environment)}
    if environment.is_apart:
        rendered[f"{environment.inside}.network"] = _inside(host, environment)
        rendered[f"{prefix}-pod.service"] = systemd.pod_stand_in(environment)
    else:
        rendered[f"{prefix}.pod"] = _pod(host, environment)
    for volume in _VOLUMES:
        rendered[f"{environment.volume(volume)}.volume"] = _volume(host, environment, volume)
    for container in CONTAINERS:
        name = f"{environment.container(container.service)}.container"
        rendered[name] = _container(host, environment, container)
    if environment.source:
        rendered[f"{environment.prefix}-shell.container"] = _shell(host, environment)
    return rendered | systemd.files(host, environment)


def _unit(host: Host, name: str, what: str, sections: dict[str, Pairs]) -> str:
    folder = "~/.config/containers/systemd/ai-semble"
    # Nothing here needs the network of the host to be up, and a laptop may have none.
    sections = sections | {"Quadlet": [("DefaultDependencies", "false")]}
    parts = [header(what, drop_in(folder, name))]
    for section, pairs in sections.items():
        lines = (
            _plain(pairs) if section in ("Unit", "Service") else list(entries(section, pairs, host.podman))
        )
        if lines:
            parts.append("\n".join([f"[{section}]", *lines]) + "\n")
    return "\n".join(parts)


def _plain(pairs: Pairs) -> list[str]:
    return [f"{key}={value}" for key, value in pairs]


def _pod(host: Host, environment: Environment) -> str:
    name = f"{environment.prefix}.pod"
    pod: Pairs = [
        ("PodName", environment.prefix),
        ("Network", f"{environment.network}.network"),
        *_published(environment),
        *_pod_user(environment),
        # A container that is restarted is gone for a moment; the others must not go with it.
        ("ExitPolicy", "continue"),
    ]
    return _unit(
        host,
        name,
        f"The pod {environment.prefix}: the network that its containers share. Only these ports leave it, those on "
        "127.0.0.1 to programs of this machine.",
        {
            "Unit": [
                ("Description", f"Ai-semble: the pod {environment.prefix}"),
                *systemd.pod_pairs(environment),
            ],
            "Pod": pod,
            "Service": [
                # Podman sets Restart=on-failure; a pod that was removed ends with status 0.
                ("RestartForceExitStatus", "0"),
                *_again(),
                *systemd.slice_pairs(environment),
            ],
        },
    )


def _published(environment: Environment) -> Pairs:
    for container in CONTAINERS:
        if port := environment.published(container.service):
            yield "PublishPort", f"127.0.0.1:{port}:{container.service.port}"
    if (exposed := environment.exposed) is not None:
        address = f"[{exposed.address}]" if ":" in exposed.address else exposed.address
        yield "PublishPort", f"{address}:{exposed.port}:{EXPOSED_PORT}"


def _inside(host: Host, environment: Environment) -> str:
    return _unit(
        host,
        f"{environment.inside}.network",
        "The network on which the containers meet. It has no way out.",
        {
            "Unit": [("Description", f"Ai-semble: the network {environment.inside}")],
            "Network": [("NetworkName", environment.inside), ("Internal", "true"), _ISOLATE],
        },
    )


def _network(host: Host, environment: Environment) -> str:
    whose = "orchestrator" if environment.is_apart else "pod"
    return _unit(
        host,
        f"{environment.network}.network",
        f"The network of the {whose}, apart from those of other environments.",
        {
            "Unit": [("Description", f"Ai-semble: the network {environment.network}")],
            "Network": [
                ("NetworkName", environment.network),
                # Before aardvark-dns 1.11, Podman's name server asks others for names even here.
                *([("Internal", "true"), ("DisableDNS", "true")] if environment.internal else []),
                _ISOLATE,
            ],
        },
    )


def _volume(host: Host, environment: Environment, volume: str) -> str:
    name = environment.volume(volume)
    shared = ", shared by all environments" if name == MODELS_VOLUME else ""
    what = f"A volume: {_VOLUMES[volume]}{shared}. It stays when its unit is removed."
    unit = [("Description", f"Ai-semble: the volume {name}")]
    return _unit(host, f"{name}.volume", what, {"Unit": unit, "Volume": [("VolumeName", name)]})


def _container(host: Host, environment: Environment, container: Container) -> str:
    service = container.service
    name = environment.container(service)
    lower = service.title[0].lower() + service.title[1:]
    return _unit(
        host,
        f"{name}.container",
        f"{service.title}, port {service.port} of the {'container' if environment.is_apart else 'pod'}.",
        {
            "Unit": [
                ("Description", f"Ai-semble: {lower} ({name})"),
                # It is tried again for as long as it takes.
                ("StartLimitIntervalSec", "0"),
                *(systemd.member_pairs(environment) if environment.is_apart else ()),
            ],
            "Container": [
                *_identity(environment, container),
                *(_apart(environment, container) if environment.is_apart else ()),
                *_health(container),
                *_confinement(),
                ("SeccompProfile", f"{seccomp_folder(environment)}/{container.seccomp}"),
                *_domain(host, container),
                *_limits(host, environment, container),
                *_storage(host, environment, container),
                *_devices(host, environment, container),
                *(
                    ("Environment", f"{key}={value}")
                    for key, value in settings(environment, container).items()
                ),
            ],
            "Service": [
                ("TimeoutStartSec", str(container.start_limit_s)),
                ("TimeoutStopSec", str(RHYTHM.stop_s + 20)),
                ("Restart", "always"),
                *_again(),
                *systemd.slice_pairs(environment),
                *systemd.service_pairs(environment),
            ],
        },
    )


def _shell(host: Host, environment: Environment) -> str:
    """The tools beside the services: the same network, source and token, and nothing that it could break."""
    name = f"{environment.prefix}-shell"
    return _unit(
        host,
        f"{name}.container",
        f"A shell beside the services: `podman exec -it {name} bash`.",
        {
            "Unit": [("Description", f"Ai-semble: a shell with the tools ({name})")],
            "Container": [
                ("ContainerName", name),
                ("Pod", f"{environment.prefix}.pod"),
                ("Image", environment.image("base")),
                ("Pull", "never"),
                ("LogDriver", "journald"),
                ("Exec", "sleep infinity"),
                # `sleep` as the first process does not hear SIGTERM.
                ("PodmanArgs", "--init"),
                ("WorkingDir", SOURCE),
                *_confinement(),
                *_limits(host, environment, SHELL),
                *_storage(host, environment, SHELL),
                *(("Environment", f"{key}={value}") for key, value in settings(environment, SHELL).items()),
            ],
            # What is told to end ends with 143.
            "Service": [("Restart", "always"), ("SuccessExitStatus", "143"), *_again()],
        },
    )


def _again() -> Pairs:
    """What ended by itself comes back. From systemd 254 on, nothing that depends on it is stopped meanwhile."""
    yield "RestartSec", str(RHYTHM.restart_s)
    yield "RestartMode", "direct"


def _identity(environment: Environment, container: Container) -> Pairs:
    yield "ContainerName", environment.container(container.service)
    if not environment.is_apart:
        yield "Pod", f"{environment.prefix}.pod"
    yield "Image", environment.image(container.service.name)
    yield "Pull", "never"
    yield "LogDriver", "journald"
    yield "StopTimeout", str(RHYTHM.stop_s)
    if environment.source:
        yield "Exec", f"{container.service.program} --reload"


def _apart(environment: Environment, container: Container) -> Pairs:
    """A network address, and a user namespace in which the service's user is one that no other service has.

    The images' own ids stay as they are, so that no layer has to be copied for each service.
    """
    yield "Network", f"{environment.inside}.network"
    if container.service is ORCHESTRATOR:
        yield "Network", f"{environment.network}.network"
        yield from _published(environment)
    for kind in ("UIDMap", "GIDMap"):
        yield kind, f"0:0:{UID}"
        yield kind, f"{UID}:{environment.user(CONTAINERS.index(container))}:1"


def _pod_user(environment: Environment) -> Pairs:
    """In a pod all services are one user, which no other environment has; the first one's is that of the images."""
    if (user := environment.user(0)) != IMAGES_USER:
        for kind in ("uidmap", "gidmap"):
            yield "PodmanArgs", f"--{kind}=0:0:{UID} --{kind}={UID}:{user}:1"


def _health(container: Container) -> Pairs:
    """The unit is up when the start check says yes; a service that hangs later is killed, and systemd restarts it."""
    port = container.service.port
    yield "Notify", "healthy"
    yield "HealthStartupCmd", f"{HEALTHY} {container.started} {port}"
    yield "HealthStartupInterval", f"{RHYTHM.startup_interval_s}s"
    # Never given up by Podman: TimeoutStartSec ends a start that takes too long.
    yield "HealthStartupRetries", "0"
    yield "HealthStartupTimeout", f"{RHYTHM.timeout_s}s"
    yield "HealthCmd", f"{HEALTHY} live {port}"
    yield "HealthInterval", f"{RHYTHM.interval_s}s"
    yield "HealthTimeout", f"{RHYTHM.timeout_s}s"
    yield "HealthRetries", str(RHYTHM.retries)
    yield "HealthOnFailure", "kill"


def _confinement() -> Pairs:
    yield "ReadOnly", "true"
    yield "DropCapability", "all"
    yield "NoNewPrivileges", "true"


def _domain(host: Host, container: Container) -> Pairs:
    """Without our module Podman takes its own type, container_t."""
    if host.selinux_module:
        yield "SecurityLabelType", container.domain


def _limits(host: Host, environment: Environment, container: Container) -> Pairs:
    """Only what the host delegates; anything else would keep the container from starting."""
    if Controller.PIDS in host.limits:
        yield "PidsLimit", str(container.pids)
    if Controller.MEMORY in host.limits:
        memory = container.memory_mib(environment.limits)
        yield "Memory", f"{memory // 1024}g" if memory % 1024 == 0 else f"{memory}m"
    if Controller.CPU in host.limits:
        yield "PodmanArgs", f"--cpus={container.processors(environment.limits):g}"


def _storage(host: Host, environment: Environment, container: Container) -> Iterator[tuple[str, str]]:
    label = ",z" if host.selinux else ""
    yield "Secret", f"{environment.token},type=mount,target={TOKEN_NAME},uid={UID},gid={UID},mode=0400"
    yield "Volume", f"%E/{environment.own}:{CONFIG}:ro{label}"
    yield from (("Volume", _mount(environment, mount)) for mount in container.mounts)
    yield from (("Tmpfs", _scratch(scratch)) for scratch in container.scratch)
    if environment.source:
        yield "Volume", f"{environment.source}:{SOURCE}:ro{label}"


def _mount(environment: Environment, mount: Mount) -> str:
    return f"{environment.volume(mount.volume)}.volume:{mount.target}" + ("" if mount.writable else ":ro")


def _scratch(scratch: Scratch) -> str:
    return f"{scratch.target}:rw,size={scratch.size_mib}m,mode=1777"


def _devices(host: Host, environment: Environment, container: Container) -> Pairs:
    if host.gpu and container.gpu and environment.gpu != NO_GPU:
        yield "AddDevice", f"nvidia.com/gpu={environment.gpu}"
