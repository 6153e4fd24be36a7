"""The OpenAPI document: FastAPI's for the orchestrator's own routes and for the described operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ai_semble.problems import PROBLEM_TYPE
from orchestrator.description.routes import JSON, described_routes
from orchestrator.operations.operation import Operation

DESCRIPTION = """One environment: a language model, vision, language processing and data, on your own machine.

* Every answer carries `X-Request-ID`; every log line of every service has it too.
* Every error is a problem document (RFC 9457) with `code`, `hint` and `source`; under `/v1` in OpenAI's shape.
* With `Prefer: respond-async` the four calls are made later, as jobs that survive a crash.
"""
_REFERENCE = "#/components/schemas/"
_REQUEST_ID = {"description": "Id of this request; every log line has it.", "schema": {"type": "string"}}
_RETRY_AFTER = {"description": "Seconds to wait before the next try.", "schema": {"type": "integer"}}
_UNUSED = ("HTTPValidationError", "ValidationError")


def install(app: FastAPI, operations: Sequence[Operation]) -> None:
    """Make `/openapi.json` describe the operations too; it is built when it is first asked for."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build(app, operations)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's documented way of extending it


def build(app: FastAPI, operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document, with what is true of every answer added to each."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=[*described_routes(operations), *app.routes],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    for status, response in _responses(document):
        _complete(status, response)
    for name in _UNUSED:
        document["components"]["schemas"].pop(name, None)
    return document


def _responses(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in document["paths"].values():
        for operation in path.values():
            yield from operation["responses"].items()


def _complete(status: str, response: dict[str, Any]) -> None:
    headers = response.setdefault("headers", {})
    headers.setdefault("X-Request-ID", _REQUEST_ID)
    if status in ("429", "503"):
        headers.setdefault("Retry-After", _RETRY_AFTER)
    content = response.get("content", {})
    schema = content.get(JSON, {}).get("schema", {}).get("$ref", "")
    if schema.removeprefix(_REFERENCE) in ("Problem", "HTTPValidationError"):
        # FastAPI describes every model as plain JSON, and refused fields in a shape that is not ours.
        content.pop(JSON)
        content[PROBLEM_TYPE] = {"schema": {"$ref": f"{_REFERENCE}Problem"}}
