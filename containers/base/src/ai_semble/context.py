"""What belongs to the request in hand, carried along without being passed around."""

from __future__ import annotations

import re
from contextvars import ContextVar
from uuid import uuid4

REQUEST_ID_HEADER = "X-Request-ID"
_USABLE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_request_id: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """The id of the request being answered; empty outside a request."""
    return _request_id.get()


def adopt_request_id(given: str | None) -> str:
    """Take the caller's id when it is safe to log and echo, otherwise make one."""
    value = given if given and _USABLE_ID.fullmatch(given) else uuid4().hex
    _request_id.set(value)
    return value
