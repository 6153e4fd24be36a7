"""What belongs to the request in hand, carried along without being passed around."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from itertools import count

REQUEST_ID_HEADER = "X-Request-ID"
_USABLE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_PROCESS = secrets.token_hex(8)
_numbers = count(1)
_problem: ContextVar[str] = ContextVar("problem", default="")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """The id of the request being answered; empty outside a request."""
    return _request_id.get()


def adopt_request_id(given: str | None) -> str:
    """Take the caller's id when it is safe to log and echo, otherwise make one."""
    value = given if given and _USABLE_ID.fullmatch(given) else _new_id()
    _request_id.set(value)
    _problem.set("")
    return value


def _new_id() -> str:
    """Unique, not secret: the process's own random half and a number, which costs no system call."""
    return f"{_PROCESS}{next(_numbers):016x}"


def note_problem(code: str) -> None:
    """Remember which error is being answered, for the access log."""
    _problem.set(code)


def noted_problem() -> str:
    """The code of the error that was answered; empty when there was none."""
    return _problem.get()
