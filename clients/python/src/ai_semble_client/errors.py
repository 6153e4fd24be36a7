"""What can go wrong: a class for each family of the server's codes, and those that the client finds itself.

`code` says exactly what happened; every code is in docs/reference/errors.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AiSembleError(Exception):
    """Base of all errors of the client. `hint` says what to do."""

    code = "client_error"

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


class InvalidSettings(AiSembleError):
    """The address, the file or a variable cannot be used."""

    code = "invalid_settings"


class UnusableFile(AiSembleError):
    """A file of yours cannot be read or written."""

    code = "unusable_file"


class NotReached(AiSembleError):
    """No connection, or it broke off before there was an answer."""

    code = "not_reached"


class NotTrusted(AiSembleError):
    """The server's certificate is not one that is trusted here, or not for this name."""

    code = "not_trusted"


class SilentServer(NotReached):
    """The server said nothing for `timeout_s`."""

    code = "silent_server"


class UnknownAnswer(AiSembleError):
    """What answered is not Ai-semble, or of another version."""

    code = "unknown_answer"


class WaitEnded(AiSembleError):
    """The job has not ended in the time that was given to it. It goes on."""

    code = "wait_ended"


class JobCancelled(AiSembleError):
    """The job was cancelled, so that it has no result."""

    code = "job_cancelled"


class ProblemError(AiSembleError):
    """The server's problem document (RFC 9457). Base of the families below.

    `status`, `code`, `hint`, `request_id`, `source` (the service that says so), `fields` (path and message of each
    refused field), `retry_after` (seconds, or None), and `members`: all that the document has.
    """

    def __init__(self, members: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.members = dict(members)
        super().__init__(
            str(members.get("detail") or members.get("title") or ""), str(members.get("hint") or "")
        )
        self.status = int(members.get("status") or 0)
        self.code = str(members.get("code") or "")
        self.request_id = str(members.get("request_id") or "")
        self.source = str(members.get("source") or "")
        self.fields = tuple(
            (str(item.get("field", "")), str(item.get("message", ""))) for item in members.get("errors") or ()
        )
        self.retry_after = retry_after


class RequestRefused(ProblemError):
    """The request has to be changed: a wrong field, a broken file, a prompt too long, a URL that was not to be had."""


class KeyRefused(ProblemError):
    """401: no API key, or one that is wrong, expired or revoked."""


class NotAllowed(ProblemError):
    """403: known, but not allowed: a scope, a model, an address."""


class NotThere(ProblemError):
    """404: no such path, model, dataset or job."""


class Conflicting(ProblemError):
    """409: it does not fit the present state: a dataset of this name exists, a job has ended."""


class TooLarge(ProblemError):
    """413, 431: longer than is accepted."""


class LimitReached(ProblemError):
    """429: the caller's own limit. It was tried again as often as `retries` says."""


class NotAvailable(ProblemError):
    """502, 503: starting, busy, down, or broken off. It was tried again as often as `retries` says."""


class TookTooLong(ProblemError):
    """504: the work took longer than its time limit."""


class ServerFailed(ProblemError):
    """500, 507 and all others: a defect, a full disk."""


_FAMILIES: Mapping[int, type[ProblemError]] = {
    401: KeyRefused,
    403: NotAllowed,
    404: NotThere,
    409: Conflicting,
    413: TooLarge,
    429: LimitReached,
    431: TooLarge,
    502: NotAvailable,
    503: NotAvailable,
    504: TookTooLong,
}


def of_problem(members: Mapping[str, Any], retry_after: float | None = None) -> ProblemError:
    """The error of the family that a problem document belongs to."""
    status = int(members.get("status") or 0)
    otherwise = RequestRefused if 400 <= status < 500 else ServerFailed
    return _FAMILIES.get(status, otherwise)(members, retry_after)
