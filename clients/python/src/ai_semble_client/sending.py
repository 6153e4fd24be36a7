"""What both clients have in common: how a call becomes an HTTP request, and a method of a client."""

from __future__ import annotations

import inspect
import ssl
from collections.abc import Callable
from typing import Any

from ai_semble_client.calls.call import Call
from ai_semble_client.errors import InvalidSettings
from ai_semble_client.settings import Settings

PIECE_BYTES = 256 * 1024
# The longest single wait for the end of a job; the server allows 60 seconds.
LONGEST_WAIT_S = 30.0
Progress = Callable[[int, int], None]
"""Called with the bytes that have passed, and all of them (0: unknown)."""


def options_of_http(settings: Settings) -> dict[str, Any]:
    """The arguments of httpx2's clients."""
    headers = {"User-Agent": "ai-semble-client"}
    if settings.api_key:
        headers["Authorization"] = f"Bearer {settings.api_key}"
    options: dict[str, Any] = {
        "base_url": settings.url,
        "headers": headers,
        "timeout": settings.timeout_s,
        "trust_env": not settings.is_local,
    }
    if not settings.verify:
        options["verify"] = False
    elif settings.ca_file:
        options["verify"] = _trusting(settings.ca_file)
    return options


def options_of_request(call: Call[Any]) -> dict[str, Any]:
    """The arguments of `build_request`, without a body that is a file."""
    options: dict[str, Any] = {"params": dict(call.params), "headers": dict(call.headers)}
    if call.picture is not None:
        options |= {"files": {"image": call.picture}, "data": dict(call.form)}
    elif call.json is not None:
        options["json"] = dict(call.json)
    return options


def dress_as_method(method: Callable[..., Any], build: Callable[..., Any]) -> None:
    """Give a method made from a function of `calls` its name, documentation and signature."""
    method.__name__ = method.__qualname__ = build.__name__
    method.__doc__ = build.__doc__
    signature = inspect.signature(build)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    answer = str(signature.return_annotation).removeprefix("Call[").removesuffix("]")
    shown = signature.replace(parameters=[own, *signature.parameters.values()], return_annotation=answer)
    method.__signature__ = shown  # type: ignore[attr-defined]


def next_wait_s(remaining_s: float | None, timeout_s: float, *, watched: bool) -> float:
    """How long the next question for a job's end may wait. A watched job is looked at every second."""
    longest = 1.0 if watched else min(LONGEST_WAIT_S, timeout_s / 2)
    return longest if remaining_s is None else max(0.0, min(longest, remaining_s))


def _trusting(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        hint = "Give a file of certificates in PEM."
        raise InvalidSettings(f"The certificates in {ca_file} cannot be used: {error}", hint) from error
