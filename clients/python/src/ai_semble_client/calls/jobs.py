"""Calls about jobs, and any call as a job."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

from ai_semble_client.answers.jobs import Job, JobPage
from ai_semble_client.calls.call import Call, nothing, reading, words


def as_job(call: Call[Any], idempotency_key: str | None = None) -> Call[Job]:
    """The call, made later. Sent twice with one key it is one job, so it can be tried again."""
    key = idempotency_key or uuid.uuid4().hex
    headers = {**call.headers, "Prefer": "respond-async", "Idempotency-Key": key}
    return Call(
        call.method,
        call.path,
        reading(Job),
        json=call.json,
        params=call.params,
        headers=headers,
        form=call.form,
        picture=call.picture,
    )


def job(job_id: str, *, wait_s: float = 0) -> Call[Job]:
    """How a job stands; answered at its end, or after `wait_s` (60 at most)."""
    return Call("GET", _path(job_id), reading(Job), params={"wait_s": f"{wait_s:g}"})


def job_page(
    *, state: str | None = None, service: str | None = None, limit: int = 50, cursor: str | None = None
) -> Call[JobPage]:
    """Jobs, newest first; `next_cursor` is the `cursor` of the page after it."""
    params = words(state=state, service=service, limit=limit, cursor=cursor)
    return Call("GET", "/jobs", reading(JobPage), params=params)


def job_result(job_id: str) -> Call[bytes]:
    """What the service answered, byte by byte."""
    return Call("GET", f"{_path(job_id)}/result", bytes)


def cancel(job_id: str) -> Call[Job]:
    """Stop a job that has not ended."""
    return Call("DELETE", _path(job_id), reading(Job))


def forget(job_id: str) -> Call[None]:
    """Delete a job that has ended, with its result."""
    return Call("DELETE", _path(job_id), nothing, params={"forget": "true"}, repeatable=False)


def events(job_id: str, after: int = 0) -> Call[bytes]:
    """What happens to a job, from the event after number `after`."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
    return Call("GET", f"{_path(job_id)}/events", bytes, headers=headers)


def _path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"
