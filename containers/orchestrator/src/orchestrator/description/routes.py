"""Operations as FastAPI routes that are described and never called: the relay answers at the same paths."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel
from starlette.routing import BaseRoute

from ai_semble.errors import all_errors
from ai_semble.problems import PROBLEM_TYPE
from ai_semble.schemas.jobs import Job
from ai_semble.schemas.problem import OpenAIProblem, Problem
from orchestrator.operations.operation import Codes, Content, Operation, text_in

JSON = "application/json"
Responses = dict[int | str, dict[str, Any]]

_JOB_PARAMETERS = (
    text_in("header", "Prefer", "`respond-async`: answer 202 at once and make the call as a job."),
    text_in("header", "Idempotency-Key", "Sent again with the same key, the same job is answered."),
)
_JOB_ANSWER = {
    "model": Job,
    "description": "Accepted as a job (with `Prefer: respond-async`).",
    "headers": {"Location": {"description": "Where the job is.", "schema": {"type": "string"}}},
}


def described_routes(operations: Iterable[Operation]) -> Sequence[BaseRoute]:
    """Routes from which FastAPI makes the description of the operations."""
    router = APIRouter()
    for operation in operations:
        router.add_api_route(
            operation.path,
            _endpoint(operation),
            methods=[operation.method],
            status_code=operation.statuses[0],
            operation_id=operation.id,
            tags=[operation.tag],
            summary=operation.summary,
            description=operation.description,
            response_class=Response,
            response_model=None,
            response_description=HTTPStatus(operation.statuses[0]).phrase,
            responses={**_answers(operation), **problem_responses(operation.path, operation.all_codes)},
            openapi_extra=_extra(operation),
        )
    return router.routes


def problem_responses(path: str, codes: Codes) -> Responses:
    """The error responses of a path, each with the codes that it can have."""
    model: type[BaseModel] = OpenAIProblem if path.startswith("/v1/") else Problem
    kind = JSON if path.startswith("/v1/") else PROBLEM_TYPE
    return {
        status: {
            "model": model,
            "description": words_for(named),
            "content": {
                kind: {"examples": {code: {"value": _example(path, status, code)} for code in named}}
            },
        }
        for status, named in codes.items()
    }


def words_for(codes: Iterable[str]) -> str:
    """The description of an answer that has one of these codes."""
    return "Code " + ", ".join(f"`{code}`" for code in codes) + "."


def _example(path: str, status: int, code: str) -> dict[str, Any]:
    """What an error looks like; the words are known for the errors of this package and the base."""
    known = {error.code: error for error in all_errors()}.get(code)
    words = {"title": known.title, "hint": known.hint} if known else {}
    problem = {"type": f"urn:ai-semble:problem:{code}", "status": status, "code": code, **words}
    return {"error": problem} if path.startswith("/v1/") else problem


def _endpoint(operation: Operation) -> Any:
    """A function with the signature from which FastAPI takes the schema of the JSON body."""

    def never_called() -> None:
        raise NotImplementedError

    content = next((item for item in operation.requests if item.type == JSON and item.model), None)
    if content is not None:
        # Any, since the type is a value here, which is FastAPI's business and not the type checker's.
        annotated: Any = Annotated
        annotation = annotated[content.model, Body(openapi_examples=_examples(content))]
        body = inspect.Parameter("body", inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
        never_called.__signature__ = inspect.Signature([body])  # type: ignore[attr-defined]
    return never_called


def _answers(operation: Operation) -> Responses:
    answer: dict[str, Any] = {}
    for content in operation.answers:
        if content.type == JSON and content.model:
            answer["model"] = content.model
        else:
            answer.setdefault("content", {})[content.type] = {"schema": dict(content.schema)}
    answers: Responses = {status: answer for status in operation.statuses if answer}
    return {**answers, 202: _JOB_ANSWER} if operation.may_be_job else answers


def _extra(operation: Operation) -> dict[str, Any]:
    """What FastAPI cannot know: parameters, and bodies of other content types."""
    extra: dict[str, Any] = {
        "parameters": [*operation.parameters, *(_JOB_PARAMETERS if operation.may_be_job else ())]
    }
    others = {
        content.type: {"schema": _schema(content), **_example_member(content)}
        for content in operation.requests
        if not (content.type == JSON and content.model)
    }
    if others:
        extra["requestBody"] = {"required": True, "content": others}
    return extra


def _schema(content: Content) -> Mapping[str, Any]:
    if content.model is None:
        return content.schema
    schema: dict[str, Any] = content.model.model_json_schema(ref_template="#/components/schemas/{model}")
    # What it refers to is in the document already, by the JSON body of the same operation.
    return {key: value for key, value in schema.items() if key != "$defs"}


def _example_member(content: Content) -> dict[str, Any]:
    return {"examples": _examples(content)} if content.examples else {}


def _examples(content: Content) -> dict[str, Any]:
    return {summary: {"summary": summary, "value": value} for summary, value in content.examples.items()}
