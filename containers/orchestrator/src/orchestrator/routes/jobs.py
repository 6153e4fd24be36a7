"""/jobs: how asynchronous calls stand, their results, their events, their end."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from ai_semble.schemas.jobs import Job, JobEvent, JobPage, JobQuery, JobState
from orchestrator.jobs.service import JobService
from orchestrator.routes import event_streams
from orchestrator.routes.askers import asker_of
from orchestrator.routes.described import add

LONGEST_WAIT_S = 60
_EVENTS: dict[str, Any] = {
    "description": "Server-sent events `state`, `progress` and, last, `end`; the data of each is a JobEvent. "
    "A comment line is sent when nothing happens for 15 seconds.",
    "content": {event_streams.EVENT_STREAM: {"schema": {"type": "string"}}},
}

JobId = Annotated[str, Path(description="The job's `id`.")]
_WRONG = {422: ("invalid_request",)}
_MISSING = {404: ("job_not_found",)}


def routes() -> APIRouter:
    """The job routes; `app.state.jobs` is the JobService."""
    router = APIRouter(prefix="/jobs", tags=["Jobs"])
    add(router, "GET", "", _list, "List jobs", _WRONG)
    add(router, "GET", "/{job_id}", _get, "One job", _MISSING | _WRONG)
    add(
        router,
        "DELETE",
        "/{job_id}",
        _delete,
        "Cancel a job, or forget one that has ended",
        {**_MISSING, 409: ("job_has_ended", "job_has_not_ended"), **_WRONG},
        {
            202: {"model": Job, "description": "It runs, and is being cancelled."},
            204: {"description": "It was forgotten."},
        },
        response_model=Job,
    )
    add(
        router,
        "GET",
        "/{job_id}/result",
        _result,
        "The service's answer, as it was given",
        {**_MISSING, 409: ("job_has_not_ended", "job_has_no_result")},
        {200: {"description": "The answer, with its own content type.", "content": {"*/*": {}}}},
        response_class=Response,
    )
    add(
        router,
        "GET",
        "/{job_id}/events",
        _events,
        "What happens to a job, as it happens",
        _MISSING,
        {200: _EVENTS, 204: {"description": "The event named by `Last-Event-ID` was the last one."}},
        response_class=Response,
    )
    return router


def accepted(job: Job) -> Response:
    """The answer to a call that was sent with `Prefer: respond-async`."""
    headers = {"Location": f"/jobs/{job.id}", "Preference-Applied": "respond-async"}
    return Response(job.model_dump_json(), 202, headers, "application/json")


async def _list(request: Request, query: Annotated[JobQuery, Query()]) -> JobPage:
    """Newest first. Follow `next_cursor` for the rest."""
    return await _jobs(request).list(query, asker_of(request.scope))


async def _get(
    request: Request,
    job_id: JobId,
    wait_s: Annotated[
        float, Query(ge=0, le=LONGEST_WAIT_S, description="Answer at its end, or after so many seconds.")
    ] = 0,
) -> Job:
    """How a job stands, and what came of it."""
    return await _jobs(request).get(job_id, asker_of(request.scope), wait_s)


async def _delete(
    request: Request,
    response: Response,
    job_id: JobId,
    forget: Annotated[bool, Query(description="Delete a job that has ended, with its result.")] = False,
) -> Job | Response:
    """A waiting job never starts; the call of a running one is cut, so that its service stops working.

    A job that has succeeded or failed is left as it is (409), so that a result is never lost to a
    cancellation that came too late; with `forget=true` it is deleted.
    """
    asker = asker_of(request.scope)
    if forget:
        await _jobs(request).forget(job_id, asker)
        return Response(status_code=204)
    job = await _jobs(request).cancel(job_id, asker)
    response.status_code = 202 if job.state is JobState.CANCELLING else 200
    return job


async def _result(request: Request, job_id: JobId) -> Response:
    """Streams what the service answered, with its content type."""
    result = await _jobs(request).result(job_id, asker_of(request.scope))
    headers = {"Content-Length": str(result.size), "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(result.pieces, 200, headers, result.content_type)


async def _events(
    request: Request,
    job_id: JobId,
    last_event_id: Annotated[
        str | None, Header(description="`id` of the last event received; the stream goes on after it.")
    ] = None,
) -> Response:
    """Ends when the job has ended. A client that was cut off sends `Last-Event-ID` and misses nothing."""
    events = _jobs(request).events(job_id, asker_of(request.scope), event_streams.number_of(last_event_id))
    return await event_streams.answer(events, _frame)


def _frame(event: JobEvent) -> str:
    if event.number is None:
        return f"event: progress\ndata: {event.model_dump_json()}\n\n"
    kind = "end" if event.state.ended else "state"
    return f"id: {event.number}\nevent: {kind}\ndata: {event.model_dump_json()}\n\n"


def _jobs(request: Request) -> JobService:
    jobs: JobService = request.app.state.jobs
    return jobs
