"""The least that a relay in Python can be: an aiohttp server in front of an aiohttp client.

python -m tests.load.bare_relay PORT UPSTREAM_URL
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import uvloop
from aiohttp import web


def create_app(upstream: str) -> web.Application:
    app = web.Application()

    async def session(app: web.Application):  # type: ignore[no-untyped-def]
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(upstream, connector=connector) as app["session"]:
            yield

    async def relay(request: web.Request) -> web.Response:
        body = await request.read()
        headers = {"Content-Type": request.content_type}
        async with request.app["session"].post(request.path, data=body, headers=headers) as answer:
            return web.Response(
                body=await answer.read(), status=answer.status, content_type=answer.content_type
            )

    app.cleanup_ctx.append(session)
    app.router.add_post("/{path:.*}", relay)
    return app


def main() -> None:
    port, upstream = int(sys.argv[1]), sys.argv[2]
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    web.run_app(create_app(upstream), host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main()
