"""One way to add a route that is described with the error codes that it can answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from orchestrator.description.routes import Responses, problem_responses
from orchestrator.operations.operation import Codes


def add(
    router: APIRouter,
    method: str,
    path: str,
    endpoint: Callable[..., Any],
    summary: str,
    codes: Codes,
    responses: Responses | None = None,
    **settings: Any,
) -> None:
    described = {**(responses or {}), **problem_responses(path, codes)}
    router.add_api_route(path, endpoint, methods=[method], summary=summary, responses=described, **settings)
