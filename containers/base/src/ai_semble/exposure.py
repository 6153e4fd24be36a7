"""Whether the door for other machines may be opened, and what stands behind it."""

from __future__ import annotations

from dataclasses import dataclass

from ai_semble.config import Config
from ai_semble.errors import AiSembleError, ExposureRefused
from ai_semble.listening import has_keys, is_in_our_image, is_loopback
from ai_semble.logs import get_logger
from ai_semble.outside import Proxies
from ai_semble.service import Runtime
from ai_semble.tls import HOW, Certificates, read
from ai_semble.topology import SERVICES

log = get_logger(__name__)


@dataclass(frozen=True)
class Door:
    """Where other machines come in. `certificates` is None where they come without TLS."""

    address: str
    port: int
    certificates: Certificates | None
    proxies: Proxies


def check(config: Config, *, in_pod: bool) -> None:
    """Raises ExposureRefused and BadCertificate when the door that is configured must stay shut."""
    expose = config.expose
    if not expose.address:
        return
    if expose.port in {config.port_of(name) for name in SERVICES}:
        raise ExposureRefused(
            f"expose.port is {expose.port}, which one of the services has", hint="Take another, as 8443."
        )
    _check_proxies(config, in_pod=in_pod)
    if not has_keys(config.paths().keys_file):
        raise ExposureRefused(
            f"expose.address is {expose.address}, and there is no valid API key",
            hint="Make one: ./scripts/deploy.sh keys create NAME. Then start again.",
        )
    file = config.paths().certificate_file
    if file.exists():
        read(file)
    elif not is_loopback(expose.address) and expose.plain_http == "refused":
        raise ExposureRefused(
            f"expose.address is {expose.address}, and there is no certificate: keys and texts could be read on the way",
            hint=f'Install one: {HOW}. On a network that you trust: expose.plain_http = "allowed".',
        )


def _check_proxies(config: Config, *, in_pod: bool) -> None:
    proxies = config.expose.trusted_proxies
    if not in_pod or not proxies:
        return
    if not is_loopback(config.expose.address):
        raise ExposureRefused(
            "expose.trusted_proxies names proxies, and in a pod all callers have Podman's address",
            hint='Publish the pod for a proxy on this machine: expose.address = "127.0.0.1" and '
            'trusted_proxies = ["local"]; or name none: then X-Forwarded-For is ignored, and all else works.',
        )
    if proxies != ("local",):
        raise ExposureRefused(
            "expose.trusted_proxies names addresses, and in a pod the proxy has Podman's",
            hint='Say trusted_proxies = ["local"]: only this machine reaches the door.',
        )


def open_door(config: Config, runtime: Runtime) -> Door | None:
    """The door of the orchestrator, if it has one. Raises ExposureRefused and BadCertificate.

    In a pod, which others depend on, it rather stays shut, and health says why.
    """
    expose, in_pod = config.expose, is_in_our_image()
    if not expose.address:
        return None
    try:
        check(config, in_pod=in_pod)
        file = runtime.paths.certificate_file
        certificates = Certificates(file) if file.exists() else None
    except AiSembleError as error:
        if not in_pod:
            raise
        log.error("door_stays_shut", reason=error.detail, hint=error.user_hint)  # noqa: TRY400 - said whole
        reason = f"Other machines are not let in: {error.detail}. {error.user_hint}"
        runtime.health.watch(lambda: reason)
        return None
    if certificates is not None:
        _watch(certificates, runtime)
    elif not is_loopback(expose.address):
        log.warning("door_without_tls", address=expose.address, hint=f"Others can read keys and texts; {HOW}")
    # What is published of a pod is not the pod's affair.
    address = config.server.host if in_pod else expose.address
    return Door(address, expose.port, certificates, Proxies(expose, in_pod=in_pod))


def _watch(certificates: Certificates, runtime: Runtime) -> None:
    runtime.health.watch(certificates.trouble)
    expiry = runtime.metrics.gauge(
        "ai_semble_certificate_expiry_timestamp_seconds", "When the certificate for other machines expires."
    )
    expiry.labels().set_function(lambda: certificates.present().expires_at)
    if certificates.ends_soon():
        log.warning("certificate_ends_soon", expires=certificates.present().expires_at, hint=HOW)
