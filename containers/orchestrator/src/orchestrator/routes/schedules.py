"""/schedules: workflows that are run at certain times."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from ai_semble.schemas.schedules import Schedule, ScheduleList, ScheduleRequest
from ai_semble.schemas.workflows import WORKFLOW_NAME
from orchestrator.operations.operation import BODY, join
from orchestrator.routes.askers import asker_of
from orchestrator.routes.bodies import described, read_json
from orchestrator.routes.described import add
from orchestrator.workflows.service import WorkflowService

Name = Annotated[str, Path(pattern=WORKFLOW_NAME, description="Its name.", examples=["nightly"])]
_BODY = described(
    ScheduleRequest,
    {
        "every working day": {
            "workflow": "data-quality",
            "cron": "30 2 * * mon-fri",
            "timezone": "Asia/Tokyo",
            "inputs": {"dataset": "orders"},
        }
    },
)
_MISSING = {404: ("schedule_not_found",)}
_WRONG = {422: ("invalid_request",)}
_FULL = {507: ("insufficient_storage",)}


def routes() -> APIRouter:
    """The schedule routes; `app.state.workflows` is the WorkflowService."""
    router = APIRouter(prefix="/schedules", tags=["Workflows"])
    add(router, "GET", "", _list, "List schedules", {})
    add(
        router,
        "PUT",
        "/{name}",
        _put,
        "Run a workflow at certain times",
        join(
            BODY,
            {404: ("workflow_not_found",), 409: ("schedule_of_another",)},
            {422: ("invalid_schedule", "invalid_inputs")},
            _FULL,
        ),
        openapi_extra=_BODY,
    )
    add(router, "GET", "/{name}", _get, "One schedule", {**_MISSING, **_WRONG})
    add(router, "POST", "/{name}/pause", _pause, "Pause a schedule", {**_MISSING, **_WRONG, **_FULL})
    add(router, "POST", "/{name}/resume", _resume, "Resume a schedule", {**_MISSING, **_WRONG, **_FULL})
    add(
        router,
        "DELETE",
        "/{name}",
        _delete,
        "Delete a schedule",
        {**_MISSING, **_WRONG, **_FULL},
        status_code=204,
    )
    return router


async def _list(request: Request) -> ScheduleList:
    """By name."""
    return ScheduleList(schedules=await _workflows(request).schedules.all(asker_of(request.scope)))


async def _put(request: Request, name: Name) -> Schedule:
    """Its runs are made with the key that is used here. A time is run for once, also when the orchestrator is killed
    at that moment.
    """
    body = await read_json(request, ScheduleRequest)
    return await _workflows(request).put_schedule(name, body, asker_of(request.scope))


async def _get(request: Request, name: Name) -> Schedule:
    """When it is due, and what came of the last time."""
    return await _workflows(request).schedules.get(name, asker_of(request.scope))


async def _pause(request: Request, name: Name) -> Schedule:
    """Until it is resumed; runs that go on go on."""
    return await _workflows(request).schedules.pause(name, asker_of(request.scope), paused=True)


async def _resume(request: Request, name: Name) -> Schedule:
    """From the next time on: what fell into the pause is not made up for."""
    return await _workflows(request).schedules.pause(name, asker_of(request.scope), paused=False)


async def _delete(request: Request, name: Name) -> None:
    """Its runs stay, and those that go on go on."""
    await _workflows(request).schedules.delete(name, asker_of(request.scope))


def _workflows(request: Request) -> WorkflowService:
    workflows: WorkflowService = request.app.state.workflows
    return workflows
