"""/runs: how executions of workflows stand, their results and logs, and their end."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response

from ai_semble.context import request_id
from ai_semble.schemas.runs import RerunRequest, Run, RunDetail, RunEvent, RunLog, RunState
from orchestrator.operations.operation import BODY, join
from orchestrator.routes import event_streams
from orchestrator.routes.askers import asker_of
from orchestrator.routes.bodies import described, read_json
from orchestrator.routes.described import add
from orchestrator.routes.jobs import LONGEST_WAIT_S
from orchestrator.routes.workflows import SVG, IdempotencyKey, picture
from orchestrator.workflows.service import WorkflowService

RunId = Annotated[str, Path(description="The run's `id`.")]
_MISSING = {404: ("run_not_found",)}
_WRONG = {422: ("invalid_request",)}
_FULL = {507: ("insufficient_storage",)}
_RERUN = described(RerunRequest, {"another input": {"inputs": {"text": "Bonjour"}}})
_JSON: dict[int | str, dict[str, Any]] = {
    200: {"description": "JSON.", "content": {"application/json": {"schema": {}}}}
}
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A picture.", "content": {SVG: {"schema": {"type": "string"}}}}
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events `log` and, last, `end`; the data of each is a RunEvent. A comment line is "
        "sent when nothing happens for 15 seconds.",
        "content": {event_streams.EVENT_STREAM: {"schema": {"type": "string"}}},
    },
    204: {"description": "The event named by `Last-Event-ID` was the last one."},
}
_LOCATION: dict[int | str, dict[str, Any]] = {
    202: {"headers": {"Location": {"description": "Where the new run is.", "schema": {"type": "string"}}}}
}


def routes() -> APIRouter:
    """The run routes; `app.state.workflows` is the WorkflowService."""
    router = APIRouter(prefix="/runs", tags=["Workflows"])
    add(router, "GET", "/{run_id}", _get, "One run, with its steps", {**_MISSING, **_WRONG})
    add(
        router,
        "GET",
        "/{run_id}/outputs",
        _outputs,
        "What a run gives back",
        {**_MISSING, 409: ("run_has_not_ended", "no_step_result")},
        _JSON,
        response_class=Response,
    )
    add(
        router,
        "GET",
        "/{run_id}/steps/{step}/result",
        _result,
        "The result of one step",
        {404: ("run_not_found", "step_not_found"), 409: ("no_step_result",), **_WRONG},
        _JSON,
        response_class=Response,
    )
    add(router, "GET", "/{run_id}/log", _log, "The log of a run", {**_MISSING, **_WRONG})
    add(
        router,
        "GET",
        "/{run_id}/events",
        _events,
        "What happens to a run, as it happens",
        _MISSING,
        _EVENTS,
        response_class=Response,
    )
    add(
        router,
        "GET",
        "/{run_id}/graph",
        _graph,
        "A run as a picture",
        _MISSING,
        _PICTURE,
        response_class=Response,
    )
    add(
        router,
        "POST",
        "/{run_id}/cancel",
        _cancel,
        "Cancel a run",
        {**_MISSING, 409: ("run_has_ended",), **_FULL},
        {202: {"model": Run, "description": "It runs, and is being cancelled."}},
        response_model=Run,
    )
    add(
        router,
        "POST",
        "/{run_id}/retry",
        _retry,
        "Go on from where a run failed",
        {**_MISSING, 409: ("nothing_to_retry",), **_FULL},
        status_code=202,
    )
    add(
        router,
        "POST",
        "/{run_id}/rerun",
        _rerun,
        "Run it again, with other inputs",
        join(
            BODY,
            _MISSING,
            {422: ("invalid_inputs", "bad_idempotency_key", "idempotency_key_reused"), 503: ("overloaded",)},
            _FULL,
        ),
        _LOCATION,
        status_code=202,
        openapi_extra=_RERUN,
    )
    add(
        router,
        "DELETE",
        "/{run_id}",
        _delete,
        "Delete a run that has ended",
        {**_MISSING, 409: ("run_has_not_ended",), **_FULL},
        status_code=204,
    )
    return router


async def _get(
    request: Request,
    run_id: RunId,
    wait_s: Annotated[
        float, Query(ge=0, le=LONGEST_WAIT_S, description="Answer at its end, or after so many seconds.")
    ] = 0,
) -> RunDetail:
    """How it stands, how each step stands, and what came of them."""
    return await _workflows(request).get(run_id, asker_of(request.scope), wait_s)


async def _outputs(request: Request, run_id: RunId) -> Response:
    """The `outputs` of the workflow, however long they are."""
    return _json(await _workflows(request).outputs(run_id, asker_of(request.scope)))


async def _result(
    request: Request,
    run_id: RunId,
    step: Annotated[str, Path(description="The name of the step.")],
    index: Annotated[
        int | None, Query(ge=0, le=999, description="Of a step with `for_each`: only this item, from 0.")
    ] = None,
) -> Response:
    """What the service answered, however long that is; with `for_each` a list, null for items without a result."""
    return _json(await _workflows(request).step_result(run_id, step, index, asker_of(request.scope)))


async def _log(
    request: Request,
    run_id: RunId,
    after: Annotated[int, Query(ge=0, le=2**53, description="Only lines after this number.")] = 0,
) -> RunLog:
    """Up to 1,000 lines; ask again with `after` for more."""
    return await _workflows(request).log(run_id, asker_of(request.scope), after)


async def _events(
    request: Request,
    run_id: RunId,
    last_event_id: Annotated[
        str | None, Header(description="`id` of the last event received; the stream goes on after it.")
    ] = None,
) -> Response:
    """Ends when the run has ended. A client that was cut off sends `Last-Event-ID` and misses nothing."""
    events = _workflows(request).events(
        run_id, asker_of(request.scope), event_streams.number_of(last_event_id)
    )
    return await event_streams.answer(events, _frame)


async def _graph(request: Request, run_id: RunId) -> Response:
    """Its workflow, with the state of each step."""
    return picture(await _workflows(request).picture(run_id, asker_of(request.scope)))


async def _cancel(request: Request, response: Response, run_id: RunId) -> Run:
    """Nothing more is begun, and what runs is cut. What is done stays done: `retry` goes on from there."""
    run = await _workflows(request).cancel(run_id, asker_of(request.scope))
    response.status_code = 202 if run.state is RunState.CANCELLING else 200
    return run


async def _retry(request: Request, run_id: RunId) -> Run:
    """Steps that failed are begun again; those that are done are not. The run keeps its id."""
    return await _workflows(request).retry(run_id, asker_of(request.scope))


async def _rerun(
    request: Request, response: Response, run_id: RunId, idempotency_key: IdempotencyKey = None
) -> Run:
    """A new run of the same version, from its beginning."""
    body = await read_json(request, RerunRequest)
    asker = asker_of(request.scope)
    run = await _workflows(request).rerun(run_id, body, asker, request_id(), idempotency_key or None)
    response.headers["Location"] = f"/runs/{run.id}"
    return run


async def _delete(request: Request, run_id: RunId) -> None:
    """With its results and its log, and the runs that were its steps. Datasets that it wrote stay."""
    await _workflows(request).forget(run_id, asker_of(request.scope))


def _frame(event: RunEvent) -> str:
    kind = "end" if event.last else "log"
    return f"id: {event.number}\nevent: {kind}\ndata: {event.model_dump_json()}\n\n"


def _json(content: bytes) -> Response:
    return Response(content, 200, {"X-Content-Type-Options": "nosniff"}, "application/json")


def _workflows(request: Request) -> WorkflowService:
    workflows: WorkflowService = request.app.state.workflows
    return workflows
