"""What must be true before services can start; each failure is one line with its fix."""

from __future__ import annotations

import errno
import shutil
import socket
from pathlib import Path

import psutil

from ai_semble import exposure
from ai_semble.config import MIB, SECTION_NAMES, Config
from ai_semble.embedded.errors import PortInUse
from ai_semble.errors import ExposureRefused, InsufficientStorage
from ai_semble.listening import address_of, refuse_open_address
from ai_semble.topology import SERVICES

ROOM_BYTES = 256 * MIB


def check(config: Config) -> None:
    """Raise the first thing that would make the start fail."""
    refuse_open_address(config)
    exposure.check(config, in_pod=False)
    check_room(config.paths().state_dir)
    for name in SERVICES:
        check_port(address_of(config, name), config.port_of(name), name)
    if config.expose.address:
        check_port(config.expose.address, config.expose.port, "expose")


def check_room(folder: Path, needed: int = ROOM_BYTES) -> None:
    """Logs, jobs and spilled queries need room."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InsufficientStorage(
            f"{folder} has {free // MIB} MiB left; {needed // MIB} MiB are needed",
            hint="Free some space there, or set XDG_STATE_HOME to a folder on a larger disk.",
        )


def check_port(host: str, port: int, service: str) -> None:
    """Raise PortInUse, naming the program that has the port where that can be known."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise ExposureRefused(
                    f"{host} is no address of this machine", hint="`ip address` shows those that it has."
                ) from error
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise port_error(error.errno, port, service) from error


def port_error(number: int, port: int, service: str) -> PortInUse:
    """The error for a port that cannot be had."""
    section, other = SECTION_NAMES.get(service, service), _other(port)
    hint = (
        f"Choose another port: AI_SEMBLE_{section.upper()}__PORT={other} ./scripts/deploy.sh start --embedded; "
        f"or, for good, `port = {other}` under `[{section}]` in ~/.config/ai-semble/ai-semble.toml."
    )
    if number == errno.EACCES:
        return PortInUse(f"Port {port} ({service}) is reserved for the administrator", hint=hint)
    owner = listener(port)
    return PortInUse(f"Port {port} ({service}) is in use by {owner or 'another program'}", hint=hint)


def listener(port: int) -> str:
    """Name and number of the process that listens on a port; empty when it is hidden from this user."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return ""
    for connection in connections:
        local = connection.laddr
        if local and connection.status == psutil.CONN_LISTEN and local.port == port and connection.pid:
            return _named(connection.pid)
    return ""


def _named(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        return f"process {pid}"


def _other(port: int) -> int:
    return port + 10_000 if port < 50_000 else port - 10_000
