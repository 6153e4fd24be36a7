"""/workflows: what is stored, checked and drawn; and how runs begin."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from ai_semble.context import request_id
from ai_semble.errors import BodyTooLarge, UnsupportedMediaType
from ai_semble.schemas.runs import Run, RunPage, RunQuery, RunRequest, Workflow, WorkflowPage
from ai_semble.schemas.workflows import WORKFLOW_NAME, workflow_schema
from orchestrator.operations.operation import BODY, join
from orchestrator.routes.askers import asker_of
from orchestrator.routes.bodies import described, read_json
from orchestrator.routes.described import add
from orchestrator.workflows import library
from orchestrator.workflows.checking import Checked, Faulty, check
from orchestrator.workflows.drawing import draw
from orchestrator.workflows.errors import InvalidWorkflow
from orchestrator.workflows.reading import MOST_BYTES, Format
from orchestrator.workflows.requests import request_faults
from orchestrator.workflows.service import WorkflowService

SVG = "image/svg+xml"
_TYPES: dict[str, Format] = {
    "application/yaml": "yaml",
    "application/x-yaml": "yaml",
    "text/yaml": "yaml",
    "application/json": "yaml",
    "application/toml": "toml",
}
_TEXT = {"schema": {"type": "string", "description": "A workflow file, of at most 256 KiB."}}
_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": _TEXT,
            "application/toml": _TEXT,
            "application/json": {
                "schema": {"type": "object", "description": "As /schemas/workflow.json describes it."},
                "examples": {
                    "one step": {
                        "value": {
                            "inputs": {"text": {"type": "string"}},
                            "steps": {
                                "language": {"nlp": {"task": "language", "text": "${{ inputs.text }}"}}
                            },
                            "outputs": {"language": "${{ steps.language.result.result.language }}"},
                        }
                    }
                },
            },
        },
    }
}
_RUN = described(
    RunRequest, {"inputs": {"inputs": {"text": "Guten Tag"}}, "an older version": {"version": 1}}
)
_SCHEMA: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON Schema, draft 2020-12.",
        "content": {"application/schema+json": {"schema": {"type": "object"}}},
    }
}
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A picture.", "content": {SVG: {"schema": {"type": "string"}}}}
}
_WRONG = {422: ("invalid_request",)}
_MISSING = {404: ("workflow_not_found",)}
_FULL = {507: ("insufficient_storage",)}
_SUBMIT = {
    422: ("invalid_inputs", "bad_idempotency_key", "idempotency_key_reused"),
    503: ("overloaded",),
    **_FULL,
}

Name = Annotated[str, Path(pattern=WORKFLOW_NAME, description="Its name.", examples=["review-report"])]
Version = Annotated[int | None, Query(ge=1, le=2**31, description="Which version; the newest by default.")]
IdempotencyKey = Annotated[
    str | None, Header(description="Sent again with the same key, the same run is answered.")
]


def routes() -> APIRouter:
    """The workflow routes; `app.state.workflows` is the WorkflowService."""
    router = APIRouter(tags=["Workflows"])
    add(
        router,
        "GET",
        "/schemas/workflow.json",
        _schema,
        "The schema of workflow files",
        {},
        _SCHEMA,
        response_class=Response,
    )
    add(router, "GET", "/workflows", _list, "List workflows", {})
    add(
        router,
        "PUT",
        "/workflows/{name}",
        _put,
        "Store a workflow",
        join(BODY, {403: ("workflow_of_another",), 422: ("invalid_workflow",)}, _FULL),
        {201: {"model": Workflow, "description": "It is new."}},
        openapi_extra=_FILE,
        response_model=Workflow,
    )
    add(router, "GET", "/workflows/{name}", _get, "One workflow, with its versions", {**_MISSING, **_WRONG})
    add(
        router,
        "DELETE",
        "/workflows/{name}",
        _delete,
        "Delete a workflow with all its versions",
        {**_MISSING, 403: ("workflow_of_another",), **_WRONG, **_FULL},
        status_code=204,
    )
    add(
        router,
        "GET",
        "/workflows/{name}/graph",
        _graph,
        "A workflow as a picture",
        {**_MISSING, **_WRONG},
        _PICTURE,
        response_class=Response,
    )
    add(
        router,
        "POST",
        "/workflows/{name}/runs",
        _run,
        "Run a workflow",
        join(BODY, _MISSING, _SUBMIT),
        {202: {"headers": {"Location": {"description": "Where the run is.", "schema": {"type": "string"}}}}},
        status_code=202,
        openapi_extra=_RUN,
    )
    add(router, "GET", "/workflows/{name}/runs", _runs, "List the runs of a workflow", _WRONG)
    return router


async def _schema() -> Response:
    """For editors, and for programs that write such files; the same as configs/workflows/workflow.schema.json."""
    return JSONResponse(workflow_schema(), media_type="application/schema+json")


async def _list(request: Request) -> WorkflowPage:
    """The newest version of each, by name."""
    return WorkflowPage(workflows=await _workflows(request).library.all())


async def _put(request: Request, response: Response, name: Name) -> Workflow:
    """Checked as a whole before it is stored: every mistake is in `faults`, with its line. Each change is a new
    version; the same file again is not. Runs go on with the version that they began with.
    """
    shelf = _workflows(request).library
    source = await _source(request)
    # In a thread, since a file of this length may keep one for a second.
    checked = await asyncio.to_thread(_checked, source, _form(request), name)
    text = source.decode("utf-8-sig")
    stored, is_new = await shelf.put(name, text, checked, asker_of(request.scope))
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/workflows/{name}"
    return library.detail(stored, await shelf.versions(name))


async def _get(request: Request, name: Name, version: Version = None) -> Workflow:
    """What it says, as JSON and as the file that was stored."""
    shelf = _workflows(request).library
    return library.detail(await shelf.get(name, version), await shelf.versions(name))


async def _delete(request: Request, name: Name) -> None:
    """Its runs stay, and those that go on go on. The name stays its key's, and versions are counted on."""
    await _workflows(request).library.delete(name, asker_of(request.scope))


async def _graph(request: Request, name: Name, version: Version = None) -> Response:
    """Each step behind those that it waits for; dashed boxes have a `when`, dashed lines lead to `on_failure`."""
    stored = await _workflows(request).library.get(name, version)
    graph = await asyncio.to_thread(library.graph, stored)
    return picture(draw(graph, f"{stored.name}, version {stored.version}"))


async def _run(
    request: Request, response: Response, name: Name, idempotency_key: IdempotencyKey = None
) -> Run:
    """Accepted at once; it survives a crash from then on. Its steps are made with the rights of the key that is used
    here, which needs the scopes of all of them.
    """
    body = await read_json(request, RunRequest)
    asker = asker_of(request.scope)
    run = await _workflows(request).submit(name, body, asker, request_id(), idempotency_key or None)
    response.headers["Location"] = f"/runs/{run.id}"
    return run


async def _runs(request: Request, name: Name, query: Annotated[RunQuery, Query()]) -> RunPage:
    """Newest first; those of a workflow that was deleted, too. Follow `next_cursor` for the rest."""
    return await _workflows(request).list(name, query, asker_of(request.scope))


def picture(svg: str) -> Response:
    """Served so that nothing in it is ever run."""
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(svg, 200, headers, SVG)


async def _source(request: Request) -> bytes:
    held = bytearray()
    async for piece in request.stream():
        held += piece
        if len(held) > MOST_BYTES:
            hint = "Put what is long into datasets, or into workflows of their own."
            raise BodyTooLarge(f"A workflow file has at most {MOST_BYTES:,} bytes", hint=hint)
    return bytes(held)


def _form(request: Request) -> Format:
    kind = request.headers.get("content-type", "application/yaml").partition(";")[0].strip().lower()
    if kind not in _TYPES:
        hint = "Send `Content-Type: application/yaml`, `application/toml` or `application/json`."
        raise UnsupportedMediaType(f"The body is {kind}", hint=hint)
    return _TYPES[kind]


def _checked(source: bytes, form: Format, name: str) -> Checked:
    try:
        return check(source, form, name, request_faults)
    except Faulty as error:
        told = "; ".join(map(str, error.faults[:10]))
        faults = [fault.document() for fault in error.faults]
        raise InvalidWorkflow(told, extra={"faults": faults}) from error


def _workflows(request: Request) -> WorkflowService:
    workflows: WorkflowService = request.app.state.workflows
    return workflows
