"""The ASGI endpoint that passes a path through to its service, bytes in and bytes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ai_semble.context import request_id
from ai_semble.errors import AiSembleError
from ai_semble.logs import get_logger
from ai_semble.schemas.jobs import Job
from orchestrator.access.holder import hold_of
from orchestrator.gateway.calls import Call, Reply
from orchestrator.gateway.client import Client, ClientGone
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.headers import prefers_async, text, to_service
from orchestrator.jobs.calls import Call as JobCall
from orchestrator.jobs.service import JobService
from orchestrator.operations import Operation
from orchestrator.routes.askers import asker_of
from orchestrator.routes.jobs import accepted

log = get_logger(__name__)


class Relay:
    """The operations of one path. It finds the gateway and the jobs in the application's state."""

    def __init__(self, path: str, operations: Sequence[Operation]) -> None:
        self.path = path
        self._service = operations[0].service
        self._may_be_job = any(operation.may_be_job for operation in operations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # what the metrics call this path
        state = scope["app"].state
        client = Client(receive)
        try:
            call = self._call(scope)
            if self._may_be_job and prefers_async(scope["headers"]):
                job = await _submit(state.jobs, call, client, scope)
                await accepted(job)(scope, receive, send)
            else:
                await _pass(state.gateway, call, client, send)
        except ClientGone:
            return
        except asyncio.CancelledError:
            if not client.departed():
                raise
        finally:
            client.close()

    def _call(self, scope: Scope) -> Call:
        query: bytes = scope["query_string"]
        target: bytes = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
        headers = to_service(scope["headers"])
        return Call(self._service, scope["method"], text(target), headers)


async def _submit(jobs: JobService, call: Call, client: Client, scope: Scope) -> Job:
    kept = JobCall(
        service=call.service,
        method=call.method,
        path=call.target,
        headers=dict(call.headers),
        request_id=request_id(),
        idempotency_key=call.header("idempotency-key") or None,
    )
    return await jobs.submit(kept, _pieces(client), asker_of(scope), hold_of(scope))


async def _pieces(client: Client) -> AsyncIterator[bytes]:
    """Nothing is received before the first piece is asked for, so that a refused body is not sent at all."""
    body = await client.body()
    if isinstance(body, bytes):
        yield body
    else:
        async for piece in body:
            yield piece


async def _pass(gateway: Gateway, call: Call, client: Client, send: Send) -> None:
    async with await gateway.send(call, await client.body()) as reply:
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        try:
            await _pass_body(reply, client, send)
        except AiSembleError as error:
            # Too late for another status. Returning early makes the server cut the connection, which is
            # how HTTP/1.1 says that an answer is not complete.
            log.warning("answer_cut", code=error.code)


async def _pass_body(reply: Reply, client: Client, send: Send) -> None:
    left = reply.length
    async for chunk in reply.chunks:
        left -= len(chunk)
        if left == 0:
            client.close()
        await send({"type": "http.response.body", "body": chunk, "more_body": left != 0})
    if left != 0:
        client.close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def relay_routes(operations: Iterable[Operation]) -> list[Route]:
    """One route a path, so that a wrong method is answered with all the right ones."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    return [
        Route(path, Relay(path, methods), methods=[operation.method for operation in methods])
        for path, methods in by_path.items()
    ]


class ShortCut:
    """Takes calls at fixed paths to their relay; FastAPI's layers would cost as much as the relay itself."""

    def __init__(self, app: ASGIApp, routes: Iterable[Route]) -> None:
        self.app = app
        self._relays: dict[tuple[str, str], ASGIApp] = {
            (method, route.path): route.app
            for route in routes
            if not route.param_convertors
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        relay = self._relays.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        await (relay or self.app)(scope, receive, send)
