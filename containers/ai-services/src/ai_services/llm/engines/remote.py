"""Any OpenAI-compatible server by URL as an engine: llama-server, vLLM, or a service elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import orjson

from ai_semble.errors import AiSembleError, InvalidRequest, Overloaded
from ai_semble.logs import get_logger
from ai_services.llm.engines.protocol import (
    Call,
    EngineState,
    EngineStatus,
    ModelFacts,
    Report,
    Tally,
    until_end,
)
from ai_services.llm.errors import ContextLengthExceeded, EngineUnreachable, ModelNotFound

log = get_logger(__name__)

CONNECT_TIMEOUT_S = 5
LIST_TIMEOUT_S = 10
LOOK_AGAIN_S = 15.0
LOOK_SOON_S = 2.0
DEVICE = "remote"
_DATA = b"data:"
_DONE = b"[DONE]"


class RemoteEngine:
    """Relays calls to `base_url` (with its /v1), and looks there for models from time to time."""

    def __init__(self, base_url: str, key: str, model: str, time_limit_s: float, report: Report) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._preferred = model
        self._time_limit_s = time_limit_s
        self._report = report
        self._session: aiohttp.ClientSession | None = None
        self._looking: asyncio.Task[None] | None = None
        self._status = EngineStatus(EngineState.LOADING)

    @property
    def status(self) -> EngineStatus:
        return self._status

    async def start(self) -> None:
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=self._time_limit_s
        )
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        self._report(self._status)
        self._looking = asyncio.create_task(self._keep_looking())

    async def begin(self, call: Call) -> RemoteGeneration:
        if self._session is None:
            raise EngineUnreachable("The engine is not started")
        path = "chat/completions" if call.chat else "completions"
        generation = RemoteGeneration(call)
        generation.send(self._session, f"{self._base_url}/{path}")
        return generation

    def memory_bytes(self) -> int:
        return 0

    async def close(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        if self._session:
            await self._session.close()

    async def _keep_looking(self) -> None:
        while True:
            try:
                models = await self._models()
                self._set(EngineStatus(EngineState.READY, models))
            except EngineUnreachable as error:
                self._set(EngineStatus(EngineState.FAILED, self._status.models, error))
            await asyncio.sleep(LOOK_AGAIN_S if self._status.state is EngineState.READY else LOOK_SOON_S)

    async def _models(self) -> tuple[ModelFacts, ...]:
        """The server's models, the configured one first. Raises EngineUnreachable."""
        assert self._session  # noqa: S101 - opened by start
        timeout = aiohttp.ClientTimeout(total=LIST_TIMEOUT_S)
        try:
            async with self._session.get(f"{self._base_url}/models", timeout=timeout) as response:
                listed = await response.json(content_type=None)
                if response.status != 200:
                    raise EngineUnreachable(f"{self._base_url}/models answered {response.status}")
            models = [
                ModelFacts(each["id"], DEVICE, created=int(each.get("created") or 0))
                for each in listed["data"]
            ]
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise EngineUnreachable(f"{self._base_url}/models: {error or 'no answer'}") from error
        return tuple(sorted(models, key=lambda model: model.name != self._preferred))

    def _set(self, status: EngineStatus) -> None:
        if status.state is not self._status.state or status.models != self._status.models:
            log.info("engine_state", state=status.state.value, reason=status.reason)
            self._status = status
            self._report(status)


class RemoteGeneration:
    """One relayed call. Its connection is closed when nobody wants the answer any more."""

    def __init__(self, call: Call) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Tally | None] = loop.create_future()
        self._call = call
        self._clock = loop.time
        self._began = self._clock()
        self._first_s = 0.0
        self._usage: dict[str, Any] = {}
        self._items: asyncio.Queue[bytes | AiSembleError | None] = asyncio.Queue()
        self._relaying: asyncio.Task[None] | None = None

    def send(self, session: aiohttp.ClientSession, url: str) -> None:
        """Begin to relay."""
        self._relaying = asyncio.create_task(self._relay(session, url))

    async def whole(self) -> bytes:
        item = await self._items.get()
        if isinstance(item, AiSembleError):
            raise item
        return item or b"{}"

    def chunks(self) -> AsyncIterator[bytes]:
        return until_end(self._items)

    def fail(self, error: AiSembleError | None = None) -> None:
        if not self.ended.done() and self._relaying:
            self._items.put_nowait(error)
            self._relaying.cancel()

    async def _relay(self, session: aiohttp.ClientSession, url: str) -> None:
        tally = None
        try:
            async with session.post(url, json=self._body()) as response:
                if response.status != 200:
                    raise await _refusal(response)  # noqa: TRY301 - handled with the other failures
                await (self._read_chunks(response) if self._call.stream else self._read_whole(response))
            tally = self._tally()
            self._items.put_nowait(None)
        except AiSembleError as error:
            self._items.put_nowait(error)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._items.put_nowait(EngineUnreachable(f"{url}: {error or 'no answer'}", retry_after=5))
        except Exception as error:  # the top of a task: whoever waits for an item has to get one
            log.exception("remote_answer_not_understood", url=url)
            self._items.put_nowait(EngineUnreachable(f"{url}: {type(error).__name__}", retry_after=5))
        finally:
            self.ended.set_result(tally)

    def _body(self) -> dict[str, Any]:
        body = {key: value for key, value in self._call.body.items() if value is not None}
        if self._call.stream:
            body["stream"] = True
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        return body

    async def _read_whole(self, response: aiohttp.ClientResponse) -> None:
        answer = await response.read()
        self._note(answer)
        self._items.put_nowait(answer)

    async def _read_chunks(self, response: aiohttp.ClientResponse) -> None:
        wants_usage = bool((self._call.body.get("stream_options") or {}).get("include_usage"))
        async for line in response.content:
            data = line[len(_DATA) :].strip()
            if not line.startswith(_DATA) or data == _DONE:
                continue
            chunk = self._note(data)
            if "error" in chunk:
                raise EngineUnreachable(f"The model server broke off: {chunk['error']}")
            if chunk.get("choices") or wants_usage:
                self._items.put_nowait(data)

    def _note(self, data: bytes) -> dict[str, Any]:
        self._first_s = self._first_s or self._clock() - self._began
        try:
            answer: dict[str, Any] = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise EngineUnreachable("The model server answered something that is not JSON") from error
        self._usage = answer.get("usage") or self._usage
        return answer

    def _tally(self) -> Tally:
        return Tally(
            prompt_tokens=self._usage.get("prompt_tokens", 0),
            cached_tokens=(self._usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
            completion_tokens=self._usage.get("completion_tokens", 0),
            first_token_s=self._first_s,
            total_s=self._clock() - self._began,
        )


async def _refusal(response: aiohttp.ClientResponse) -> AiSembleError:
    """The server's refusal as one of our errors."""
    problem: dict[str, Any] = {}
    with suppress(orjson.JSONDecodeError, AttributeError):
        document = orjson.loads(await response.read())
        found = document.get("error") or document
        problem = found if isinstance(found, dict) else {"message": found}
    message = str(problem.get("message") or response.reason)
    kinds = {problem.get("code"), problem.get("type")}
    match response.status:
        case 400 if kinds & {"context_length_exceeded", "exceed_context_size_error"}:
            counted: dict[str, Any] = {
                key: problem[key] for key in ("n_prompt_tokens", "n_ctx") if key in problem
            }
            return ContextLengthExceeded(message, extra=counted)
        case 404:
            return ModelNotFound(message)
        case 429 | 503:
            return Overloaded(f"The model server is busy: {message}", retry_after=_retry_after(response))
        case 400 | 413 | 415 | 422:
            return InvalidRequest(f"The model server refused the request: {message}")
        case status:
            return EngineUnreachable(f"The model server answered {status}: {message}")


def _retry_after(response: aiohttp.ClientResponse) -> float:
    given = response.headers.get("Retry-After", "")
    return float(given) if given.isdigit() else 5.0
