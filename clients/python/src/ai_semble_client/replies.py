"""From what came back, or did not, to an answer or an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx2

from ai_semble_client.calls.call import Call
from ai_semble_client.errors import (
    NotReached,
    NotTrusted,
    ProblemError,
    SilentServer,
    UnknownAnswer,
    of_problem,
)
from ai_semble_client.settings import API_KEY, CA_FILE, URL

T = TypeVar("T")


def answer_of(call: Call[T], status: int, headers: Mapping[str, str], body: bytes) -> T:
    """The answer of a call; raises a ProblemError or UnknownAnswer."""
    if not 200 <= status < 300:
        raise problem_of(status, headers, body)
    try:
        return call.read(body)
    except ValueError as error:  # pydantic's is one
        hint = f"Is {URL} an Ai-semble environment, and of the client's version?"
        raise UnknownAnswer(f"{call.method} {call.path} was answered with something unknown", hint) from error


def problem_of(status: int, headers: Mapping[str, str], body: bytes) -> ProblemError | UnknownAnswer:
    """The error that a reply tells; one that is no problem document comes from something in between."""
    if status < 400:
        return UnknownAnswer(
            f"It was answered with a redirect ({status})", f"Set {URL} to the address it leads to."
        )
    members = _members(body)
    if "code" not in members or "detail" not in members:
        members = {
            "status": status,
            "code": f"http_{status}",
            "detail": f"Something that is not Ai-semble answered with {status}",
            "hint": f"Check {URL}, and what stands between: a proxy, a tunnel.",
        }
    error = of_problem({**members, "status": status}, _retry_after(headers))
    if error.code == "api_key_required":
        error.hint = f"{error.hint} This client takes it from {API_KEY}."
    return error


def not_reached(error: httpx2.RequestError, url: str) -> NotReached | NotTrusted:
    """The error for a connection that was not made, or broke off."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):  # nothing else of the reason is left in it
        return NotTrusted(
            f"The certificate of {url} is not trusted: {error}", f"Name it, or its root, in {CA_FILE}."
        )
    if isinstance(error, httpx2.ReadTimeout):
        hint = "Send long work as a job, or raise timeout_s."
        return SilentServer(f"{url} accepted the call, and then said nothing for too long", hint)
    reason = str(error) or type(error).__name__
    hint = f"Is it running? `./scripts/deploy.sh status` says so; {URL} says where it is."
    return NotReached(f"{url} cannot be reached: {reason}", hint)


def _members(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    inner = document.get("error", document) if isinstance(document, dict) else None
    return inner if isinstance(inner, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
