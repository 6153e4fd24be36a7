"""Runs one service in this process until it is told to stop."""

from __future__ import annotations

import gc
import os
import resource
import socket
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from ai_semble import telemetry
from ai_semble.config import Config
from ai_semble.listening import address_of, is_in_our_image, refuse_open_address
from ai_semble.logs import configure_logs, get_logger
from ai_semble.protocol import Connections
from ai_semble.secrets import TOKEN_VARIABLE, ensure_token
from ai_semble.service import Runtime, ServiceApp
from ai_semble.topology import ORCHESTRATOR, SERVICES

_OPEN_FILES = 65_536
_IDLE = 2048  # connections without a request, each of which takes some 10 KB
# A service's only client is the gateway, which reads as slowly as its own client and lets that one go.
_PATIENCE_WITH_THE_GATEWAY = 10


def serve(service: str, config: Config) -> None:
    """Listen and answer; returns after SIGTERM or SIGINT, when the running requests have ended."""
    telemetry.switch_off()
    configure_logs(service, config.logs.level)
    refuse_open_address(config, in_container=is_in_our_image())
    most_files = allow_many_connections()
    runtime = create_runtime(service, config)
    app = SERVICES[service].create_app(runtime)
    # Half of the places that slow clients could take: those of one service, seen from the gateway.
    outside = service == ORCHESTRATOR.name
    places = config.orchestrator.in_flight if outside else config.server.max_requests
    connections = Connections(
        service,
        most_idle=min(_IDLE, most_files // 4),
        most_slow=max(1, min(places, most_files) // 2),
        client_timeout_s=config.server.client_timeout_s * (1 if outside else _PATIENCE_WITH_THE_GATEWAY),
    )
    settings = uvicorn.Config(
        app,
        host=address_of(config, service),
        port=config.port_of(service),
        loop="uvloop",
        http=connections.protocol,  # type: ignore[arg-type] # whatever makes a protocol will do
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Nobody in front of us is asked who the client is.
        proxy_headers=False,
        # Longer than the gateway keeps an idle connection, so that it never uses one that is being closed.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(config.server.shutdown_grace_s),
        backlog=1024,
    )
    get_logger(__name__).info("serving", host=settings.host, port=settings.port, pid=os.getpid())
    Server(settings, app).run()


class Server(uvicorn.Server):
    """Tells the application that it is going to stop while its requests still run, not only after them."""

    def __init__(self, settings: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(settings)
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is there now stays: the collector need not look through it again and again.
        gc.collect()
        gc.freeze()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if isinstance(self._app, ServiceApp):
            self._app.begin_stop()
        await super().shutdown(sockets)


def allow_many_connections() -> int:
    """Files that may be open: each connection is one, and the usual 1,024 are fewer than `server.max_requests` need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def create_runtime(service: str, config: Config) -> Runtime:
    """The runtime of a service, with the environment's token on the right side of the door."""
    paths = config.paths()
    paths.make()
    token = ensure_token(Path(os.environ.get(TOKEN_VARIABLE) or paths.token_file))
    if service == ORCHESTRATOR.name:
        return Runtime.create(service, config, service_token=token)
    return Runtime.create(service, config, token=token)
