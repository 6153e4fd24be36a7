"""The OpenAPI document: FastAPI's for the orchestrator's own routes and for the described operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ai_semble.problems import PROBLEM_TYPE
from orchestrator.access.needs import OPEN_PATHS
from orchestrator.description.routes import JSON, described_routes, words_for
from orchestrator.operations.operation import ANYWHERE, Operation

DESCRIPTION = """One environment: a language model, vision, language processing and data, on your own machine.

* Every answer carries `X-Request-ID`; every log line of every service has it too.
* Every error is a problem document (RFC 9457) with `code`, `hint` and `source`; under `/v1`, as OpenAI's.
* Where a key is needed: `Authorization: Bearer ais_...`.
* With `Prefer: respond-async` the four calls are made later, as jobs that survive a crash.
* Workflows put calls together; a run of one goes on after a crash, and repeats no step that was finished.
"""
_REFERENCE = "#/components/schemas/"
_REQUEST_ID = {"description": "Id of this request; every log line has it.", "schema": {"type": "string"}}
_RETRY_AFTER = {"description": "Seconds to wait before the next try.", "schema": {"type": "integer"}}
_PROBLEM = f"{_REFERENCE}Problem"
# Where no key is asked for, no key is wrong.
_ONLY_KEYS = (400, 401, 429, 503)
_KEY = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, `ais_...`, made by `./scripts/deploy.sh keys create NAME`. On loopback none is "
        "needed, unless `access.required` is `always`. `X-API-Key` is understood, too.",
    }
}
_LONG_NAME = re.compile(rb"ai_semble__schemas__([a-z]+)[a-z_]*__([A-Za-z]+)")
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
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _complete(operation["responses"], is_open=path in OPEN_PATHS)
            if path in OPEN_PATHS:
                operation["security"] = []
    document["components"]["securitySchemes"] = _KEY
    document["security"] = [{"apiKey": []}, {}]
    for name in _UNUSED:
        document["components"]["schemas"].pop(name, None)
    _describe_by_reference(document["components"]["schemas"])
    return _with_short_names(document)


def _complete(responses: dict[str, Any], *, is_open: bool) -> None:
    for number, codes in ANYWHERE.items():
        if is_open and number in _ONLY_KEYS:
            continue
        described = {"description": words_for(codes), "content": {JSON: {"schema": {"$ref": _PROBLEM}}}}
        responses.setdefault(str(number), described)
    for status, response in responses.items():
        headers = response.setdefault("headers", {})
        headers.setdefault("X-Request-ID", _REQUEST_ID)
        if status in ("429", "503"):
            headers.setdefault("Retry-After", _RETRY_AFTER)
        _name_problem_type(response.get("content", {}))


def _name_problem_type(content: dict[str, Any]) -> None:
    """FastAPI describes every model as plain JSON, and refused fields in a shape that is not ours."""
    reference = content.get(JSON, {}).get("schema", {}).get("$ref", "")
    if reference in (_PROBLEM, f"{_REFERENCE}HTTPValidationError"):
        content.pop(JSON)
        content.setdefault(PROBLEM_TYPE, {})["schema"] = {"$ref": _PROBLEM}


def _describe_by_reference(schemas: dict[str, Any]) -> None:
    """A field without words of its own is described by what it holds: `usage` by the schema `Usage`."""
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            name = _referenced(field)
            if name and "description" not in field and "description" in schemas[name]:
                field["description"] = schemas[name]["description"]


def _referenced(field: dict[str, Any]) -> str:
    """The one schema that a field holds, by itself, in a list, or not at all."""
    candidates = [field, field.get("items", {}), *field.get("anyOf", ())]
    candidates += [candidate.get("items", {}) for candidate in field.get("anyOf", ())]
    names = {
        str(candidate["$ref"]).removeprefix(_REFERENCE) for candidate in candidates if "$ref" in candidate
    }
    return names.pop() if len(names) == 1 else ""


def _with_short_names(document: dict[str, Any]) -> dict[str, Any]:
    """`LlmTimings` where two services have schemas of one name, and FastAPI writes the whole module."""

    def short(found: re.Match[bytes]) -> bytes:
        return found[1].capitalize() + found[2]

    shortened: dict[str, Any] = orjson.loads(_LONG_NAME.sub(short, orjson.dumps(document)))
    return shortened
