"""Reads a JSON body into a request, with errors that name the field as the user wrote it."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from ai_semble.errors import MalformedBody, UnsupportedMediaType

T = TypeVar("T")

# What pydantic puts into the path of a field that may be of several types.
_ALTERNATIVES = ("function-after[", "list[", "LabelWithExamples")


async def read_body(request: Request, adapter: TypeAdapter[T], tags: frozenset[str] = frozenset()) -> T:
    """The validated body. `tags` are the values of a discriminator, which pydantic puts into error paths.

    Raises UnsupportedMediaType, MalformedBody, or RequestValidationError with the fields.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedMediaType(
            f"the body is `{kind}`, not JSON", hint="Send JSON with `Content-Type: application/json`."
        )
    try:
        return adapter.validate_json(await request.body())
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        raise MalformedBody(problems[0]["msg"])
    raise RequestValidationError([_located(dict(problem), tags) for problem in problems])


def _located(problem: dict[str, Any], tags: frozenset[str]) -> dict[str, Any]:
    location = [part for part in problem["loc"] if not str(part).startswith(_ALTERNATIVES)]
    if location and location[0] in tags:
        location = location[1:]
    if field := problem.get("ctx", {}).get("field"):
        location.append(field)
    return {**problem, "loc": ("body", *location)}
