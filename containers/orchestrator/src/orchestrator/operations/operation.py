"""What an operation is: where it goes, and all that its description says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Codes = Mapping[int, Sequence[str]]


def join(*tables: Codes) -> Codes:
    """The codes of all tables by status, each once."""
    joined: dict[int, tuple[str, ...]] = {}
    for table in tables:
        for status, codes in table.items():
            joined[status] = tuple(dict.fromkeys((*joined.get(status, ()), *codes)))
    return dict(sorted(joined.items()))


# What the guard, the layer of keys and the envelope can answer, whatever the path.
ANYWHERE: Codes = {
    400: ("malformed_request", "api_key_in_url"),
    401: ("api_key_required", "invalid_api_key", "api_key_expired", "api_key_revoked"),
    403: ("host_not_allowed", "cross_site_refused", "scope_missing"),
    429: ("rate_limit_exceeded", "too_many_wrong_keys"),
    500: ("internal_error",),
    503: ("keys_unavailable",),
}
# What every path with a body can answer besides.
BODY: Codes = {
    400: ("malformed_body",),
    413: ("body_too_large",),
    415: ("unsupported_media_type",),
    422: ("invalid_request",),
}
# What every call that is passed on can answer.
GATEWAY: Codes = join(
    ANYWHERE,
    {
        502: ("bad_gateway",),
        503: ("service_unavailable", "not_ready", "overloaded"),
        504: ("deadline_exceeded",),
    },
)
# What a call can answer that is to become a job.
JOB: Codes = {
    422: ("bad_idempotency_key", "idempotency_key_reused"),
    507: ("insufficient_storage",),
}


@dataclass(frozen=True)
class Content:
    """A body of some content type: a pydantic type, or a JSON schema when it is no JSON."""

    type: str
    model: Any = None
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string", "format": "binary"})
    examples: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One method of one path. `statuses` are those of success, all with the same answers; `unbounded` bodies
    are streamed, however long they are.
    """

    method: str
    path: str
    service: str
    tag: str
    summary: str
    description: str
    requests: Sequence[Content] = ()
    answers: Sequence[Content] = ()
    statuses: Sequence[int] = (200,)
    codes: Codes = field(default_factory=dict)
    parameters: Sequence[Mapping[str, Any]] = ()
    may_be_job: bool = False
    unbounded: bool = False

    @property
    def id(self) -> str:
        words = self.path.replace("{", "").replace("}", "").strip("/").split("/")
        return "_".join([self.method.lower(), *words]).replace(".", "_")

    @property
    def all_codes(self) -> Codes:
        return join(self.codes, JOB) if self.may_be_job else self.codes

    @property
    def prefix(self) -> str:
        """The path up to its first parameter."""
        return self.path.partition("{")[0]


def text_in(
    where: str, name: str, description: str, *, required: bool = False, **schema: Any
) -> dict[str, Any]:
    """An OpenAPI parameter."""
    shape = {"type": "string", **schema}
    return {"name": name, "in": where, "description": description, "required": required, "schema": shape}
