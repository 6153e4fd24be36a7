"""Everything that can go wrong and reach a user: one class, one code, one answer.

The docstring of a class is its entry in the error reference; `hint` is what the user can do about it.
Services add their own classes in their own `errors.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class FieldProblem:
    """One field of a request that was refused, by its path (`data.records.0.id`) and why."""

    field: str
    message: str


class AiSembleError(Exception):
    """Base of all errors that are answered as a problem document (RFC 9457)."""

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    hint: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        hint: str | None = None,
        retry_after: float | None = None,
        fields: Sequence[FieldProblem] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.user_hint = hint or self.hint
        self.retry_after = retry_after
        self.fields = tuple(fields)
        self.extra = dict(extra or {})


class InvalidRequest(AiSembleError):
    """The request is well-formed, but a field is missing, unknown, out of range or of the wrong type."""

    code, status, title = "invalid_request", 422, "The request has invalid fields"
    hint = "Correct the fields named in `errors`; /docs describes every field and its limits."


class MalformedBody(AiSembleError):
    """The body is not what its content type says: broken JSON, a broken multipart body, a bad encoding."""

    code, status, title = "malformed_body", 400, "The body could not be read"
    hint = "Send valid JSON with `Content-Type: application/json`."


class MalformedRequest(AiSembleError):
    """The bytes are not a request of HTTP/1.1, or one that two programs could read in two ways."""

    code, status, title = "malformed_request", 400, "The request is not HTTP/1.1"
    hint = "Send it with an HTTP library; a body has one Content-Length, or chunks, and no Upgrade beside it."


class HeadTooLarge(AiSembleError):
    """The request line and the headers together are longer than 64 KiB."""

    code, status, title = "head_too_large", 431, "The headers are too large"
    hint = "Send what is long in the body."


class BodyTooLarge(AiSembleError):
    """The body is longer than this path accepts."""

    code, status, title = "body_too_large", 413, "The body is too large"
    hint = "Send less at once, or raise `server.max_body_bytes`."


class UnsupportedMediaType(AiSembleError):
    """The content type of the body is not one that this path reads."""

    code, status, title = "unsupported_media_type", 415, "The content type is not supported"
    hint = "Use one of the content types that /docs lists for this path."


class NotAcceptable(AiSembleError):
    """The answer cannot be given in any of the types that the `Accept` header names."""

    code, status, title = "not_acceptable", 406, "No acceptable answer type"
    hint = "Ask for one of the types that /docs lists for this path."


class NotFound(AiSembleError):
    """There is nothing at this path or with this name."""

    code, status, title = "not_found", 404, "Not found"
    hint = "Check the path and the name; /docs lists every path."


class MethodNotAllowed(AiSembleError):
    """The path exists, but not for this method."""

    code, status, title = "method_not_allowed", 405, "Method not allowed"
    hint = "Use a method that the `Allow` header names."


class Conflict(AiSembleError):
    """The request does not fit the present state of what it names."""

    code, status, title = "conflict", 409, "Conflict"
    hint = "Read the present state first, then decide."


class Unauthorized(AiSembleError):
    """A service was called without the environment's own token, or with a wrong one."""

    code, status, title = "unauthorized", 401, "Not authorized"
    hint = "Call the orchestrator (port 8080) instead; services accept only it."


class Forbidden(AiSembleError):
    """The caller is known, or need not be, but may not do this."""

    code, status, title = "forbidden", 403, "Forbidden"
    hint = "Ask the person who runs this environment."


class TooManyRequests(AiSembleError):
    """The caller's own limit is reached."""

    code, status, title = "too_many_requests", 429, "Too many requests"
    hint = "Wait as long as `Retry-After` says."


class Overloaded(AiSembleError):
    """As many requests as may wait are waiting already; this one was not accepted."""

    code, status, title = "overloaded", 503, "The service is busy"
    hint = "Try again after `Retry-After` seconds, or send it as a job with `Prefer: respond-async`."


class NotReady(AiSembleError):
    """The service or its model is still starting."""

    code, status, title = "not_ready", 503, "Not ready yet"
    hint = "Try again after `Retry-After` seconds; /health shows the progress."


class ServiceUnavailable(AiSembleError):
    """The service behind the gateway cannot be reached: it is down, restarting or not started."""

    code, status, title = "service_unavailable", 503, "The service is not available"
    hint = "Run `./scripts/deploy.sh status`; it says what is wrong and what to do."


class BadGateway(AiSembleError):
    """The service behind the gateway broke off its answer, or answered something that is not HTTP."""

    code, status, title = "bad_gateway", 502, "The service broke off"
    hint = "Try again; `./scripts/deploy.sh logs` shows what happened to the service."


class DeadlineExceeded(AiSembleError):
    """The work took longer than its time limit and was stopped."""

    code, status, title = "deadline_exceeded", 504, "The time limit was reached"
    hint = "Ask for less at once, send it as a job, or raise the time limit in the configuration."


class InsufficientStorage(AiSembleError):
    """The disk has no room for what was to be written beside what `resources.keep_free_disk` leaves free; nothing
    was kept.
    """

    code, status, title = "insufficient_storage", 507, "The disk is full"
    hint = "Free some space, then send the same request again."


class InternalError(AiSembleError):
    """A defect in Ai-semble. The log has the details under the request id."""

    code, status, title = "internal_error", 500, "Internal error"
    hint = "Report it with the `request_id`; `./scripts/deploy.sh logs` shows what happened."


class InvalidConfiguration(AiSembleError):
    """A configuration file or an AI_SEMBLE_ variable has an unknown key or an unusable value."""

    code, status, title = "invalid_configuration", 500, "The configuration is not valid"
    hint = "`ai-semble config show` lists every key, its value and where it comes from."


class ExposureRefused(AiSembleError):
    """`expose.address` would let other machines in, and something that protects them or this one is missing."""

    code, status, title = "exposure_refused", 500, "The API is not opened to other machines"
    hint = "docs/howto/expose.md has the steps; or leave `expose.address` empty."


class BadCertificate(AiSembleError):
    """The certificate or its key cannot be used: not PEM, encrypted, not of each other, or not for a server."""

    code, status, title = "bad_certificate", 500, "The certificate cannot be used"
    hint = (
        "`./scripts/deploy.sh certificate install CERTIFICATE KEY` takes PEM: the certificate, then those between it "
        "and its root, and its key without a password."
    )


def all_errors() -> Iterator[type[AiSembleError]]:
    """Every error class that has been imported, in order of status, code and name."""

    def walk(cls: type[AiSembleError]) -> Iterator[type[AiSembleError]]:
        for sub in cls.__subclasses__():
            yield sub
            yield from walk(sub)

    found = set(walk(AiSembleError))
    yield from sorted(found, key=lambda cls: (cls.status, cls.code, cls.__module__, cls.__qualname__))
