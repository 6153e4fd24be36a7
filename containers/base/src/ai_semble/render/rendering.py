"""All files of an environment, whatever runs it."""

from __future__ import annotations

from ai_semble.render import kube, quadlet
from ai_semble.render.variants import Backend, Environment, Host


def render(host: Host, environment: Environment) -> dict[str, str]:
    """The text of each file, by name."""
    match host.backend:
        case Backend.QUADLET:
            return quadlet.files(host, environment)
        case Backend.KUBE:
            return kube.files(host, environment)
