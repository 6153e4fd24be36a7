"""Runs one service in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import sys
from functools import partial
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from ai_semble import programs, telemetry
from ai_semble.config import Config
from ai_semble.exposure import open_door
from ai_semble.handshake import TlsServer
from ai_semble.listening import address_of, is_in_our_image, refuse_open_address
from ai_semble.logs import configure_logs, get_logger
from ai_semble.neighbours import whom_to_turn_away
from ai_semble.outside import OutsideDoor
from ai_semble.protocol import BoundedProtocol, Connections
from ai_semble.secrets import TOKEN_VARIABLE, ensure_token
from ai_semble.service import Runtime, ServiceApp
from ai_semble.tls import Certificates
from ai_semble.topology import ORCHESTRATOR, SERVICES

_OPEN_FILES = 65_536
_BACKLOG = 1024
_CANNOT_LISTEN = 3  # as uvicorn ends when it cannot start
_IDLE = 2048  # connections without a request, each of which takes some 10 KB
# A service's only client is the gateway, which reads as slowly as its own client and lets that one go.
_PATIENCE_WITH_THE_GATEWAY = 10


def serve(service: str, config: Config) -> None:
    """Listen and answer; returns after SIGTERM or SIGINT, when the running requests have ended."""
    telemetry.switch_off()
    configure_logs(service, config.logs.level)
    give_up_programs(service)
    refuse_open_address(config, in_container=is_in_our_image())
    most_files = allow_many_connections()
    runtime = create_runtime(service, config)
    # Half of the places that slow clients could take: those of one service, seen from the gateway.
    is_public = service == ORCHESTRATOR.name
    door = open_door(config, runtime) if is_public else None
    app = SERVICES[service].create_app(runtime)
    places = config.orchestrator.in_flight if is_public else config.server.max_requests
    connections = Connections(
        service,
        most_idle=min(_IDLE, most_files // 4),
        most_slow=max(1, min(places, most_files) // 2),
        client_timeout_s=config.server.client_timeout_s * (1 if is_public else _PATIENCE_WITH_THE_GATEWAY),
        turns_away=whom_to_turn_away(config, service),
    )
    settings = _settings(app, connections, config, address_of(config, service), config.port_of(service))
    get_logger(__name__).info("serving", host=settings.host, port=settings.port, pid=os.getpid())
    outside = None
    if door is not None:
        around = OutsideDoor(app, door.proxies)
        outside = Outside(
            _settings(around, connections, config, door.address, door.port), connections, door.certificates
        )
        get_logger(__name__).info("serving_others", host=door.address, port=door.port, tls=outside.has_tls)
    Server(settings, app, outside).run()


def _settings(app: ASGIApp, connections: Connections, config: Config, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=connections.protocol,  # type: ignore[arg-type] # whatever makes a protocol will do
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # The door for others asks those that are trusted who the client is.
        proxy_headers=False,
        # Longer than the gateway keeps an idle connection, so that it never uses one that is being closed.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(config.server.shutdown_grace_s),
        backlog=_BACKLOG,
    )


class Outside:
    """A second address of a server, with TLS or without."""

    def __init__(
        self, settings: uvicorn.Config, connections: Connections, certificates: Certificates | None
    ) -> None:
        self._settings = settings
        self._connections = connections
        self._certificates = certificates

    @property
    def has_tls(self) -> bool:
        return self._certificates is not None

    async def listen(self, server: uvicorn.Server) -> asyncio.Server | TlsServer:
        """Raises OSError."""
        self._settings.load()
        speak = partial(self._protocol, server)
        host, port = self._settings.host, self._settings.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        if self._certificates is not None:
            return TlsServer(listener, self._connections, self._certificates.context, speak)
        return await asyncio.get_running_loop().create_server(speak, sock=listener)

    def _protocol(self, server: uvicorn.Server) -> BoundedProtocol:
        return self._connections.protocol(
            config=self._settings, server_state=server.server_state, app_state=server.lifespan.state
        )


class Server(uvicorn.Server):
    """Tells the application that it is going to stop while its requests still run, not only after them."""

    def __init__(self, settings: uvicorn.Config, app: FastAPI, outside: Outside | None = None) -> None:
        super().__init__(settings)
        self._app = app
        self._outside = outside

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._outside is not None:
            await self._open(self._outside)
        # What is there now stays: the collector need not look through it again and again.
        gc.collect()
        gc.freeze()

    async def _open(self, outside: Outside) -> None:
        try:
            self.servers.append(await outside.listen(self))  # type: ignore[arg-type] # it is closed in the same way
        except OSError as error:
            get_logger(__name__).error("cannot_listen", reason=str(error))
            await self.lifespan.shutdown()
            sys.exit(_CANNOT_LISTEN)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if isinstance(self._app, ServiceApp):
            self._app.begin_stop()
        await super().shutdown(sockets)


def give_up_programs(service: str) -> None:
    """Before anything is imported or opened that somebody could take this process over by."""
    if SERVICES[service].starts_programs:
        return
    if why_not := programs.give_up():
        get_logger(__name__).warning("programs_not_given_up", reason=why_not)
    else:
        get_logger(__name__).info("programs_given_up")


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
