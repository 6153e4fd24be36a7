"""JSON bodies of the orchestrator's own routes: read as the services read theirs, with their values counted."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from ai_semble import problems
from ai_semble.errors import MalformedBody, UnsupportedMediaType
from orchestrator.gateway import structure

JSON = "application/json"


async def read_json(request: Request, model: type[BaseModel]) -> Any:
    """The body as this model; none at all is an empty object. Raises what the services raise."""
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    body = await request.body()
    if body and kind != JSON:
        raise UnsupportedMediaType(
            f"The body is {kind}, not JSON", hint="Send `Content-Type: application/json`."
        )
    structure.check(body)
    try:
        members = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise MalformedBody(f"The body is not valid JSON: {error}") from error
    try:
        return model.model_validate(members)
    except ValidationError as error:
        items = [{**item, "loc": ("body", *item["loc"])} for item in error.errors(include_url=False)]
        raise problems.from_validation(RequestValidationError(items), kind) from error


def described(model: type[BaseModel], examples: dict[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of a route whose body is read by `read_json`."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    shown = {name: {"value": value} for name, value in examples.items()}
    return {"requestBody": {"content": {JSON: {"schema": schema, "examples": shown}}}}
