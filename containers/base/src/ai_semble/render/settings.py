"""The variables of a container: what the pod decides, so that no configuration file can break it."""

from __future__ import annotations

from ai_semble.config import SECTION_NAMES
from ai_semble.render.table import SOURCE, Container
from ai_semble.render.variants import EXPOSED_PORT, Environment
from ai_semble.topology import ORCHESTRATOR, SERVICES

_PACKAGES = ("base", "orchestrator", "ai-services", "data-processor")


def settings(environment: Environment, container: Container) -> dict[str, str]:
    """By name. Ports are those of the table; which one the host publishes is the pod's affair."""
    service = container.service
    known = SERVICES.values() if service is ORCHESTRATOR else (service,)
    found = {
        "AI_SEMBLE_ENVIRONMENT__NAME": environment.name,
        "AI_SEMBLE_SERVER__HOST": environment.listens_on(service),
        **{_variable(other.name, "port"): str(other.port) for other in known},
    }
    if environment.is_apart:
        # A service has to know itself by the name that it is called by.
        others = (other for other in known if other is not ORCHESTRATOR)
        found |= {_variable(other.name, "address"): environment.address(other) for other in others}
    if service is ORCHESTRATOR:
        found["AI_SEMBLE_EXPOSE__ADDRESS"] = environment.exposed.address if environment.exposed else ""
        found["AI_SEMBLE_EXPOSE__PORT"] = str(EXPOSED_PORT)
    if environment.source:
        found["AI_SEMBLE_LOGS__LEVEL"] = "debug"
        # Before the installed packages.
        found["PYTHONPATH"] = ":".join(f"{SOURCE}/containers/{folder}/src" for folder in _PACKAGES)
        found["PYTHONDONTWRITEBYTECODE"] = "1"
    return found


def seccomp_folder(environment: Environment) -> str:
    """Where `setup.sh` puts security/seccomp/ for its user; Podman makes no container without its profile."""
    folder = f"seccomp-{environment.name}" if environment.is_named else "seccomp"
    return f"%E/containers/ai-semble/{folder}"


def _variable(service: str, key: str) -> str:
    return f"AI_SEMBLE_{SECTION_NAMES.get(service, service).upper()}__{key.upper()}"
