"""What differs between renderings: the host's Podman and abilities, and which environment it is for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ai_semble.errors import InvalidConfiguration
from ai_semble.topology import ORCHESTRATOR, Service

MODELS_VOLUME = "ai-semble-models"
# The user that the images run as.
IMAGES_USER = 10001
# Users of the host, by the numbers of `podman unshare`, for separate containers and for further environments.
FIRST_USER = 20001
USERS_EACH = 5
ALL_GPUS, NO_GPU = "all", "none"
DEV_PORT = 18080
# Inside the pod; which one the host publishes is the user's choice.
EXPOSED_PORT = 8443


class Backend(StrEnum):
    """What runs the containers."""

    QUADLET = "quadlet"
    KUBE = "kube"


class Topology(StrEnum):
    """How the containers of an environment are kept apart."""

    # They share a network and a user of the host.
    POD = "pod"
    # Each has a user of the host of its own; only the orchestrator has a way out.
    NETWORK = "network"


class Controller(StrEnum):
    """A cgroup controller; a limit can only be set when the host delegates its controller to the user."""

    CPU = "cpu"
    IO = "io"
    MEMORY = "memory"
    PIDS = "pids"


@dataclass(frozen=True, order=True)
class Version:
    """A release of Podman, as far as its keys differ."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """From `5.4`, `5.4.2` or `5.6.0-rc1`. Raises InvalidConfiguration."""
        parts = text.strip().split(".")
        try:
            return cls(int(parts[0]), int(parts[1]))
        except (IndexError, ValueError) as error:
            raise InvalidConfiguration(
                f"{text!r} is no version of Podman",
                hint="Give the one that `podman version` prints, as 5.4.2.",
            ) from error

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True)
class Host:
    """The machine that the files are for."""

    podman: Version = Version(5, 4)
    limits: frozenset[Controller] = frozenset(Controller)
    gpu: bool = False
    selinux: bool = False
    # The kernel knows the types of security/selinux/.
    selinux_module: bool = False
    # `podman kube play` knows no specifiers, so it has to be told where the configuration is.
    config_dir: str = "/home/you/.config/ai-semble"

    @property
    def backend(self) -> Backend:
        return Backend.QUADLET if self.podman >= Version(5, 0) else Backend.KUBE


@dataclass(frozen=True)
class Exposed:
    """Where other machines reach the pod: an address of the host, and a port."""

    address: str
    port: int = EXPOSED_PORT


@dataclass(frozen=True)
class Limits:
    """What all services of an environment may use together; where nothing is said, what each may have by itself."""

    memory_mib: int | None = None
    cpus: float | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Environment:
    """The environment that the files are for."""

    name: str = "default"
    port: int = ORCHESTRATOR.port
    # The development pod runs the code of this checkout and reloads it.
    source: str = ""
    exposed: Exposed | None = None
    # Its network has no way out.
    internal: bool = False
    topology: Topology = Topology.POD
    # Which of its user's environments it is; each but the first has users of the host of its own.
    number: int = 0
    limits: Limits = NO_LIMITS
    # The GPUs of a host that has some: all, none, the index of one, or its UUID.
    gpu: str = ALL_GPUS
    private_models: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        port: int | None = None,
        source: str = "",
        *,
        exposed: Exposed | None = None,
        internal: bool = False,
        topology: Topology = Topology.POD,
    ) -> Environment:
        """With the defaults of a normal environment, or of a development one, always a pod; no port is the default."""
        if source:
            return cls("dev" if name == "default" else name, port or DEV_PORT, source, internal=internal)
        return cls(name, port or ORCHESTRATOR.port, exposed=exposed, internal=internal, topology=topology)

    @property
    def is_named(self) -> bool:
        """Whether it is one beside the default one, and shares only models with it. The development pod shares more."""
        return self.name != "default" and not self.source

    @property
    def prefix(self) -> str:
        return "ai-semble" if self.name == "default" else f"ai-semble-{self.name}"

    @property
    def network(self) -> str:
        return self.prefix

    @property
    def inside(self) -> str:
        """The network without a way out, on which separate containers meet."""
        return f"{self.prefix}-inside"

    @property
    def is_apart(self) -> bool:
        """Whether each container has a user and a network address of its own."""
        return self.topology is Topology.NETWORK

    @property
    def token(self) -> str:
        return f"{self.prefix}-token"

    def container(self, service: Service) -> str:
        return f"{self.prefix}-{service.name}"

    def volume(self, name: str) -> str:
        """The models are shared by all environments of a user, unless this one has its own."""
        is_shared = name == "models" and not self.private_models
        return MODELS_VOLUME if is_shared else f"{self.prefix}-{name}"

    def image(self, name: str) -> str:
        """Each environment has names of its own for its images, so that an update switches those of one alone."""
        return f"localhost/{self.own}/{name}:latest"

    @property
    def own(self) -> str:
        """What settings, images and profiles of system calls are called by; the development pod has the default's."""
        return self.prefix if self.is_named else "ai-semble"

    @property
    def slice(self) -> str | None:
        """The part of the host that its processes share; systemd would take a hyphen in its name for a level."""
        return f"ai-semble-{self.name.replace('-', '_')}.slice" if self.is_named else None

    def user(self, container: int) -> int:
        """Who a container's service is, by the numbers of `podman unshare`; in a pod all are the same."""
        first = FIRST_USER + self.number * USERS_EACH
        if self.is_apart:
            return first + container
        return first if self.number else IMAGES_USER

    def listens_on(self, service: Service) -> str:
        """Inside the pod. What others reach has to listen on the container's own address."""
        is_reached = service is ORCHESTRATOR or self.source or self.is_apart
        return "0.0.0.0" if is_reached else "127.0.0.1"  # noqa: S104

    def address(self, service: Service) -> str:
        """Where the orchestrator finds a service. Under this domain Podman asks no other name server."""
        return f"{self.container(service)}.dns.podman" if self.is_apart else "127.0.0.1"

    def published(self, service: Service) -> int | None:
        """The port on the host's loopback address."""
        if service is ORCHESTRATOR:
            return self.port
        return service.port if self.source else None
