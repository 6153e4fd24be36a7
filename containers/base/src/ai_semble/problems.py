"""Any exception to one answer: a problem document, or OpenAI's error object under /v1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ai_semble import errors
from ai_semble.connection import CLIENT_CLOSED_REQUEST, ClientGone
from ai_semble.context import note_problem, request_id
from ai_semble.errors import AiSembleError, FieldProblem

PROBLEM_TYPE = "application/problem+json"
_MOST_SHOWN = 20

_BY_STATUS: Mapping[int, type[AiSembleError]] = {
    400: errors.MalformedBody,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    406: errors.NotAcceptable,
    413: errors.BodyTooLarge,
    415: errors.UnsupportedMediaType,
}


def document(error: AiSembleError, source: str) -> dict[str, Any]:
    """The members of RFC 9457 and ours: code, hint, request_id, source, errors."""
    members: dict[str, Any] = {
        "type": f"urn:ai-semble:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "hint": error.user_hint,
        "request_id": request_id(),
        "source": source,
    }
    if error.fields:
        members["errors"] = [{"field": item.field, "message": item.message} for item in error.fields]
    return {**error.extra, **members}


def response(error: AiSembleError, source: str, path: str) -> Response:
    """The HTTP answer for an error met on a path."""
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"  # RFC 9110 wants a 401 to say what would be accepted
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    note_problem(error.code)
    problem = document(error, source)
    if path == "/v1" or path.startswith("/v1/"):
        body = {"error": _openai(problem)}
        return Response(orjson.dumps(body), error.status, headers, "application/json")
    return Response(orjson.dumps(problem), error.status, headers, PROBLEM_TYPE)


def _openai(problem: Mapping[str, Any]) -> dict[str, Any]:
    kind = "invalid_request_error" if problem["status"] < 500 else "server_error"
    fields = problem.get("errors") or [{}]
    return {
        **problem,
        "message": f"{problem['detail'].rstrip('.')}. {problem['hint']}",
        "type": kind,
        "param": fields[0].get("field"),
    }


def from_validation(error: RequestValidationError, content_type: str = "") -> AiSembleError:
    """pydantic's complaints with paths as a user would write them."""
    items = error.errors()
    if any(tuple(item["loc"]) == ("body",) for item in items):
        if items[0]["type"] == "missing":
            return errors.MalformedBody("The body is empty")
        if content_type and "json" not in content_type:
            hint = "Send JSON with `Content-Type: application/json`."
            return errors.UnsupportedMediaType(f"The body is {content_type}, not JSON", hint=hint)
    if any(item["type"] == "json_invalid" for item in items):
        position = items[0]["loc"][-1]
        reason = items[0].get("ctx", {}).get("error", "")
        return errors.MalformedBody(f"The body is not valid JSON at character {position}: {reason}")
    fields = [FieldProblem(_path(place_of(item)), item["msg"]) for item in items[:_MOST_SHOWN]]
    told = [f"{item.field}: {item.message}" for item in fields]
    if len(items) > _MOST_SHOWN:
        told.append(f"and {len(items) - _MOST_SHOWN} more")
    return errors.InvalidRequest("; ".join(told), fields=fields)


def place_of(item: Mapping[str, Any]) -> tuple[int | str, ...]:
    """Where the fault is; for a wrong or missing discriminator pydantic names only what holds it."""
    if not item["type"].startswith("union_tag"):
        return tuple(item["loc"])
    return (*item["loc"], item["ctx"]["discriminator"].strip("'"))


def _path(location: tuple[int | str, ...]) -> str:
    parts = [str(part) for part in location]
    if parts[:1] in (["body"], ["query"], ["path"], ["header"]):
        parts = parts[1:]
    return ".".join(parts) or "body"


def install(app: FastAPI, source: str) -> None:
    """Answer every exception of an application as a problem document.

    The handlers are coroutines since others run in a thread, with a copy of the context that the log looks at.
    """

    async def answer_defect(request: Request, error: Exception) -> Response:
        return response(errors.InternalError(type(error).__name__), source, request.url.path)

    async def answer_known(request: Request, error: Exception) -> Response:
        assert isinstance(error, AiSembleError)  # noqa: S101 - registered for this class alone
        return response(error, source, request.url.path)

    async def answer_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        return response(from_validation(error, kind), source, request.url.path)

    async def answer_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        known = _BY_STATUS.get(error.status_code, errors.InternalError)
        answer = response(known(_sentence(request, error)), source, request.url.path)
        answer.headers.update(error.headers or {})
        return answer

    async def answer_nobody(_: Request, __: Exception) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    app.add_exception_handler(Exception, answer_defect)
    app.add_exception_handler(ClientGone, answer_nobody)
    app.add_exception_handler(ClientDisconnect, answer_nobody)
    app.add_exception_handler(AiSembleError, answer_known)
    app.add_exception_handler(RequestValidationError, answer_validation)
    app.add_exception_handler(HTTPException, answer_http)


def _sentence(request: Request, error: HTTPException) -> str:
    match error.status_code:
        case 404:
            return f"There is nothing at {request.url.path}"
        case 405:
            return f"{request.method} is not possible at {request.url.path}"
        case _:
            return str(error.detail)
