"""The table of containers: what each one needs, beside the name and port that `topology.py` gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ai_semble.render.variants import IMAGES_USER, Limits
from ai_semble.topology import DATA, LLM, NLP, ORCHESTRATOR, VISION, Service

Question = Literal["live", "ready"]

# The user that the images run as, and the folders that they expect.
UID = IMAGES_USER
HOME = "/var/lib/ai-semble"
TMP = "/tmp"  # noqa: S108 - inside the container, and nobody else's
MODELS = "/var/lib/ai-semble-models"
CONFIG = "/etc/ai-semble"
SOURCE = "/src"
TOKEN_NAME = "ai-semble-token"  # noqa: S105 - the name of a file
HEALTHY = "/usr/local/bin/ai-semble-healthy"
# Where a volume with the token is mounted; a secret of Podman stands in /run/secrets.
SECRETS = "/run/ai-semble"


@dataclass(frozen=True)
class Mount:
    """A named volume in a container."""

    volume: str
    target: str
    writable: bool


@dataclass(frozen=True)
class Scratch:
    """A folder in memory, emptied at every start."""

    target: str
    size_mib: int


@dataclass(frozen=True)
class Container:
    """What one service needs to run."""

    service: Service
    # Starting has succeeded when this is answered with yes. The orchestrator serves, degraded, before the others
    # do; waiting for them would tie its start to the slowest.
    started: Question
    start_limit_s: int
    memory_gib: int
    cpus: int
    pids: int
    mounts: tuple[Mount, ...]
    scratch: tuple[Scratch, ...]
    gpu: bool = False

    def memory_mib(self, limits: Limits) -> int:
        """Never more than the whole environment may have: engines make themselves at home in what they see."""
        own = self.memory_gib * 1024
        return own if limits.memory_mib is None else min(own, limits.memory_mib)

    def processors(self, limits: Limits) -> float:
        return self.cpus if limits.cpus is None else min(self.cpus, limits.cpus)

    @property
    def seccomp(self) -> str:
        """The file of its profile, in the folder of all."""
        return f"{self.service.name}.json"

    @property
    def domain(self) -> str:
        """The SELinux type that it runs in, where security/selinux/ is installed; else Podman says container_t."""
        return f"ai_semble_{self.service.name.replace('-', '_')}_t"


_TMP = Scratch(TMP, 256)
_STATELESS = (_TMP, Scratch(HOME, 64))
_MODELS = Mount("models", MODELS, writable=False)

CONTAINERS = (
    Container(
        ORCHESTRATOR,
        started="live",
        start_limit_s=120,
        memory_gib=1,
        cpus=2,
        pids=512,
        mounts=(Mount("state", HOME, writable=True),),
        scratch=(_TMP,),
    ),
    Container(
        LLM,
        started="ready",
        # A large model from a slow disk.
        start_limit_s=600,
        memory_gib=8,
        cpus=8,
        pids=512,
        mounts=(_MODELS,),
        scratch=_STATELESS,
        gpu=True,
    ),
    Container(
        VISION,
        started="ready",
        start_limit_s=300,
        memory_gib=3,
        cpus=4,
        pids=512,
        mounts=(_MODELS,),
        scratch=_STATELESS,
        gpu=True,
    ),
    Container(
        NLP,
        started="ready",
        start_limit_s=300,
        memory_gib=3,
        cpus=4,
        pids=512,
        mounts=(_MODELS,),
        scratch=_STATELESS,
    ),
    Container(
        DATA,
        started="ready",
        start_limit_s=120,
        # Two operations of 1 GiB at once, and what prepares them.
        memory_gib=4,
        cpus=4,
        pids=512,
        mounts=(Mount("data", HOME, writable=True),),
        scratch=(_TMP,),
    ),
)

# The tools of the development pod: what reaches the services, as the orchestrator does, and keeps nothing.
SHELL = Container(
    ORCHESTRATOR,
    started="live",
    start_limit_s=60,
    memory_gib=1,
    cpus=2,
    pids=256,
    mounts=(),
    scratch=(_TMP, Scratch(HOME, 256)),
)


@dataclass(frozen=True)
class Rhythm:
    """How often health is asked for, and what follows."""

    interval_s: int = 15
    timeout_s: int = 10
    retries: int = 3
    startup_interval_s: int = 2
    # A process that starts answers that it lives long before its models are loaded.
    alive_after_s: int = 60
    # Longer than `server.shutdown_grace_s`, which running requests and jobs have to end.
    stop_s: int = 20
    restart_s: int = 2
    look_s: int = 30


RHYTHM = Rhythm()
