"""The gateway as the jobs see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ai_semble.context import adopt_request_id
from ai_semble.errors import DeadlineExceeded
from orchestrator.gateway.calls import Call
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.outward import OUTWARD
from orchestrator.jobs.calls import Answer
from orchestrator.jobs.calls import Call as JobCall


class GatewayCaller:
    """Implements `orchestrator.jobs.calls.Caller`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @asynccontextmanager
    async def send(
        self, call: JobCall, body: AsyncIterator[bytes], *, timeout_s: float
    ) -> AsyncIterator[Answer]:
        """Make a job's call, under the request id of the request that submitted it."""
        adopt_request_id(call.request_id)
        if call.service == OUTWARD:
            async with asyncio.timeout(timeout_s), self._gateway.outward.send(call, body) as answer:
                yield answer
            return
        made = Call(call.service, call.method, call.path, tuple(call.headers.items()))
        try:
            async with (
                asyncio.timeout(timeout_s),
                await self._gateway.send(made, body, silence_s=timeout_s) as reply,
            ):
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reply.headers}
                yield Answer(reply.status, headers, reply.chunks)
        except TimeoutError as error:
            raise DeadlineExceeded(f"{call.service} took longer than {timeout_s:g} s") from error
