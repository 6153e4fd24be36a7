"""Tells the ends of runs to whoever asked for it, until they have arrived."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import orjson

from ai_semble.errors import AiSembleError
from ai_semble.logs import get_logger
from ai_semble.schemas.webhooks import Delivery, RunEnd, Webhook, WebhookRequest
from orchestrator.access.keys import Scope
from orchestrator.jobs.askers import Asker
from orchestrator.jobs.database import Database
from orchestrator.jobs.views import moment
from orchestrator.sqlfiles import queries_of
from orchestrator.workflows import signing
from orchestrator.workflows.errors import HostNotListed, WebhookNotFound, WebhookOfAnother
from orchestrator.workflows.performing import is_listed
from orchestrator.workflows.store import PACKAGE

log = get_logger(__name__)
NAP_S = 60.0
# After the first attempt, the second, ...: some two days in all.
WAITS_S = (5, 30, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000)
_AT_ONCE = 8
_SHOWN = 20
_KEPT_S = 7 * 86_400
_GONE = 410
Post = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
Check = Callable[[str | None, Collection[Scope]], Awaitable[None]]


class Webhooks:
    """`post` sends one message and gives the status of its answer. The messages themselves are made by the database.

    `check` raises what a key lacks: it may have been revoked since it made the webhook.
    """

    def __init__(
        self,
        database: Database,
        post: Post,
        check: Check,
        http_hosts: tuple[str, ...],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._post = post
        self._check_rights = check
        self._hosts = tuple(host.lower() for host in http_hosts)
        self._clock = clock
        self._news = asyncio.Event()

    def run_ended(self) -> None:
        """There may be something to tell."""
        self._news.set()

    async def put(self, name: str, request: WebhookRequest, asker: Asker) -> tuple[Webhook, bool]:
        """The webhook, with its secret when it is new; and whether it is. Raises HostNotListed, WebhookOfAnother."""
        self._check(request.url)
        values = {
            "name": name,
            "url": request.url,
            "workflow": request.workflow,
            "states": orjson.dumps(request.ends).decode(),
            "secret": signing.new_secret(),
            "owner": asker.owner,
            "sight": asker.sight,
            "now": self._clock(),
        }

        def work(connection: sqlite3.Connection) -> tuple[sqlite3.Row, bool]:
            known = connection.execute(_query("webhook"), {"name": name}).fetchone()
            if known is not None and not asker.sees(known["owner"]):
                raise WebhookOfAnother(f"There is a webhook {name} of another key")
            return connection.execute(_query("put"), values).fetchone(), known is None

        row, is_new = await self._database.write(work)
        self._news.set()
        return _view(row, secret=row["secret"] if is_new else None), is_new

    async def rotate(self, name: str, asker: Asker) -> Webhook:
        """With a new secret, at once. Raises WebhookNotFound."""
        values = {"name": name, "secret": signing.new_secret(), "sight": asker.sight}
        row = await self._change("rotate", values)
        return _view(row, secret=row["secret"])

    async def delete(self, name: str, asker: Asker) -> None:
        """With the messages that have not arrived. Raises WebhookNotFound."""
        await self._change("delete", {"name": name, "sight": asker.sight})

    async def all(self, asker: Asker) -> tuple[Webhook, ...]:
        return tuple(map(_view, await self._rows("all", {"sight": asker.sight})))

    async def get(self, name: str, asker: Asker) -> Webhook:
        """Raises WebhookNotFound."""
        rows = await self._rows("webhook", {"name": name})
        if not rows or not asker.sees(rows[0]["owner"]):
            raise WebhookNotFound(f"There is no webhook {name}")
        deliveries = await self._rows("deliveries", {"name": name, "limit": _SHOWN})
        return _view(rows[0], deliveries=tuple(map(_delivery, deliveries)))

    async def keep_telling(self) -> None:
        """Send what is due, for ever."""
        while True:
            nap = NAP_S
            try:
                nap = await self.send_due()
                await self._forget_old()
            except Exception:  # the top of a loop
                log.exception("webhooks_not_sent")
            try:
                async with asyncio.timeout(nap):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()

    async def send_due(self) -> float:
        """Send what is due; the seconds until there is more."""
        while due := await self._rows("due", {"now": self._clock(), "limit": _AT_ONCE}):
            await asyncio.gather(*map(self._send, due))
        (first,) = await self._rows("next", {})
        return NAP_S if first["next_at"] is None else min(NAP_S, max(0.05, first["next_at"] - self._clock()))

    async def _send(self, message: sqlite3.Row) -> None:
        body = message["body"].encode()
        signed = signing.headers(message["secret"], message["id"], int(self._clock()), body)
        status, problem = 0, None
        try:
            self._check(message["url"])
            await self._check_rights(message["owner"], _scopes(message["sight"]))
            status = await self._post(message["url"], {"content-type": "application/json", **signed}, body)
        except AiSembleError as error:
            problem = error.detail
        except Exception as error:  # the top of a message: a defect holds up no other one
            log.exception("webhook_crashed", webhook=message["webhook"])
            problem = f"A defect: {type(error).__name__}"
        if status and not 200 <= status < 300:
            problem = f"The host answered {status}"
        await self._note(message, status, problem)

    async def _note(self, message: sqlite3.Row, status: int, problem: str | None) -> None:
        now, attempts = self._clock(), message["attempts"]
        again = problem is not None and status != _GONE and attempts < len(WAITS_S)
        values = {
            "id": message["id"],
            "webhook": message["webhook"],
            "until": now + WAITS_S[0],
            "next_at": now + WAITS_S[attempts] if again else None,
            "delivered_at": None if problem else now,
            "problem": problem,
        }

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_query("tried"), values)
            if problem:
                # The others to it wait a moment, too: a receiver that is slow to fail does not take everybody's turn.
                connection.execute(_query("hold_back"), values)
            if status == _GONE:
                connection.execute(_query("disable"), {"name": message["webhook"]})

        await self._database.write(work, durable=False)
        if problem:
            log.warning(
                "webhook_not_delivered", webhook=message["webhook"], message=message["id"], detail=problem
            )

    async def _forget_old(self) -> None:
        values = {"before": self._clock() - _KEPT_S}
        await self._database.write(
            lambda connection: connection.execute(_query("forget"), values).rowcount, durable=False
        )

    def _check(self, url: str) -> None:
        if not is_listed(url, self._hosts):
            raise HostNotListed(f"{url[:200]} is not of a host that may be called")

    async def _change(self, query: str, values: Mapping[str, Any]) -> sqlite3.Row:
        row: sqlite3.Row | None = await self._database.write(
            lambda connection: connection.execute(_query(query), values).fetchone()
        )
        if row is None:
            raise WebhookNotFound(f"There is no webhook {values['name']}")
        return row

    async def _rows(self, query: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
        return await self._database.read(
            lambda connection: connection.execute(_query(query), values).fetchall()
        )


def _scopes(sight: str | None) -> Collection[Scope]:
    return {Scope.WORKFLOWS, Scope.ALL_JOBS} if sight is None else {Scope.WORKFLOWS}


def _query(name: str) -> str:
    return queries_of(PACKAGE, "webhooks")[name]


def _view(row: sqlite3.Row, *, secret: str | None = None, deliveries: tuple[Delivery, ...] = ()) -> Webhook:
    return Webhook(
        name=row["name"],
        owner=row["owner"],
        url=row["url"],
        workflow=row["workflow"],
        ends=tuple(map(RunEnd, orjson.loads(row["states"]))),
        disabled=bool(row["disabled"]),
        created_at=moment(row["created_at"]),
        secret=secret,
        deliveries=deliveries,
    )


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(
        id=row["id"],
        created_at=moment(row["created_at"]),
        attempts=row["attempts"],
        next_at=None if row["next_at"] is None else moment(row["next_at"]),
        delivered_at=None if row["delivered_at"] is None else moment(row["delivered_at"]),
        problem=row["problem"],
    )
