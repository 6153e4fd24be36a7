"""The layer that asks for the key, between the guard and everything else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from functools import partial
from urllib.parse import unquote_to_bytes

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ai_semble.errors import AiSembleError, BodyTooLarge
from ai_semble.outside import is_from_outside
from orchestrator.access import keys, tokens
from orchestrator.access.control import Access
from orchestrator.access.deposits import Deposit
from orchestrator.access.errors import ApiKeyInUrl, ApiKeyRequired, InvalidApiKey
from orchestrator.access.holder import Hold, tell_hold, tell_holder
from orchestrator.access.keys import Key
from orchestrator.access.meter import Meter
from orchestrator.access.needs import MODELS_PATH, Needs, check_path, is_open
from orchestrator.gateway.client import Client, ClientGone
from orchestrator.gateway.headers import prefers_async

_BEARER = b"bearer "


class AccessLayer:
    """Lets a request through, with its key's rights and limits, or raises why not."""

    def __init__(self, app: ASGIApp, *, access: Access, needs: Needs) -> None:
        self.app = app
        self.access = access
        self.needs = needs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        key = await self._holder(scope)
        if key is None:
            await self.app(scope, receive, send)
        else:
            tell_holder(scope, key)
            await _Passage(self, scope, receive, send, key).go()

    async def _holder(self, scope: Scope) -> Key | None:
        """The key of a request; None for one that needs none, or that the environment makes itself."""
        path: str = scope["path"]
        if keys.is_in(unquote_to_bytes(scope["query_string"])) or keys.is_in(path.encode()):
            raise self._refusal(ApiKeyInUrl("The address has an API key in it"), scope)
        check_path(path)
        if is_open(path):
            return None
        given = _given(scope["headers"])
        comes_from_outside = is_from_outside(scope)
        if not (self.access.required or comes_from_outside):
            # Programs written for OpenAI have to send some key; what is not like ours never was one.
            given = [one for one in given if one.startswith(keys.MARK)]
            if not given:
                return None
        if not given:
            raise self._refusal(ApiKeyRequired("The request has no API key"), scope)
        if len(given) > 1:
            raise self._refusal(InvalidApiKey("There is more than one key", hint="Send one."), scope)
        if not comes_from_outside and self.access.is_own(given[0], path):
            return None
        return await self.access.key_of(given[0], _address(scope))

    def _refusal(self, error: AiSembleError, scope: Scope) -> AiSembleError:
        return self.access.noted(error, _address(scope))


class _Passage:
    """One request with a valid key."""

    def __init__(self, layer: AccessLayer, scope: Scope, receive: Receive, send: Send, key: Key) -> None:
        self._app = layer.app
        self._access = layer.access
        self._needs = layer.needs
        self._scope = scope
        self._receive = receive
        self._send = send
        self._key = key
        self._path: str = scope["path"]

    async def go(self) -> None:
        try:
            self._check_scopes()
            self._access.budgets.enter(self._key)
        except AiSembleError as error:
            raise self._noted(error) from None
        try:
            await self._pass()
        except ClientGone:
            return
        finally:
            self._access.budgets.leave(self._key)

    async def _pass(self) -> None:
        hold = None
        if self._is_looked_into():
            most = tokens.MOST_LOOKED_INTO if self._path in tokens.LLM_PATHS else None
            body = await _whole_body(self._receive, most)
            try:
                hold = self._judge(body)
            except AiSembleError as error:
                raise self._noted(error) from None
            self._receive = _replay(body, self._receive)
        if hold is not None and self._becomes_a_job():
            tell_hold(self._scope, hold)
            await self._app(self._scope, self._receive, self._send)
        elif hold is not None:
            await self._pass_counted(hold())
        elif self._path == MODELS_PATH and self._key.models:
            await self._pass_models()
        else:
            await self._app(self._scope, self._receive, self._send)

    def _check_scopes(self) -> None:
        self._access.check_scope(self._key, self._needs.scope(self._path))
        if self._becomes_a_job():
            self._access.check_scope(self._key, keys.Scope.JOBS)

    def _becomes_a_job(self) -> bool:
        return self._path in self._needs.may_be_jobs and prefers_async(self._scope["headers"])

    def _is_looked_into(self) -> bool:
        return self._scope["method"] == "POST" and self._access.looks_into(self._key, self._path)

    def _judge(self, body: bytes) -> Hold | None:
        hold = self._access.judge(self._key, self._path, body)
        return None if hold is None else partial(self._hold, hold)

    def _hold(self, hold: Hold) -> Deposit:
        try:
            return hold()
        except AiSembleError as error:
            raise self._noted(error) from None

    async def _pass_counted(self, deposit: Deposit) -> None:
        answer = _Counted(self._send)
        try:
            await self._app(self._scope, self._receive, answer.send)
        except AiSembleError as error:
            answer.meter.fail(error)
            raise
        finally:
            used = answer.meter.used()
            deposit.settle(deposit.amount if used is None else used)

    async def _pass_models(self) -> None:
        """The list of models, with only those that the key is for."""
        answer = _Collected()
        await self._app(self._scope, self._receive, answer.take)
        if answer.start is None:
            return
        body = _only(self._key.models, answer.body) if answer.is_listing() else answer.body
        headers = [item for item in answer.start["headers"] if item[0] != b"content-length"]
        answer.start["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
        await self._send(answer.start)
        await self._send({"type": "http.response.body", "body": body})

    def _noted(self, error: AiSembleError) -> AiSembleError:
        return self._access.noted(error, _address(self._scope), self._key)


class _Counted:
    """Looks at an answer that passes by for the tokens that it cost."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.meter = Meter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.meter.begin(message["status"])
        else:
            self.meter.feed(message.get("body", b""))
        await self._send(message)


class _Collected:
    """A small answer as a whole."""

    def __init__(self) -> None:
        self.start: Message | None = None
        self.body = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")

    def is_listing(self) -> bool:
        return self.start is not None and self.start["status"] == 200 and bool(self.body)


def _given(headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """What the request gives as a key, each once."""
    given: list[bytes] = []
    for name, value in headers:
        if name == b"authorization":
            one = value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else b""
        elif name == b"x-api-key":
            one = value.strip()
        else:
            continue
        if one and one not in given:
            given.append(one)
    return given


async def _whole_body(receive: Receive, most: int | None) -> bytes:
    """Raises ClientGone and BodyTooLarge."""
    client = Client(receive)
    try:
        body = await client.body()
        whole = bytearray()
        async for piece in _single(body) if isinstance(body, bytes) else body:
            whole += piece
            if most is not None and len(whole) > most:
                raise BodyTooLarge(
                    f"With a key for some models or with a limit of tokens, a body has at most {most} bytes",
                    hint="Send less at once, or use a key without such a limit.",
                )
        return bytes(whole)
    finally:
        client.close()


async def _single(piece: bytes) -> AsyncIterator[bytes]:
    yield piece


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once more, in one piece, then what comes after it."""
    left = [body]

    async def replayed() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return replayed


def _only(models: frozenset[str], body: bytes) -> bytes:
    listed = orjson.loads(body)
    listed["data"] = [card for card in listed["data"] if card.get("id") in models]
    return orjson.dumps(listed)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
