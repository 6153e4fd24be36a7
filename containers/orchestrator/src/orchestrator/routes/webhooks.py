"""/webhooks: who is told of the ends of runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from ai_semble.schemas.webhooks import Webhook, WebhookList, WebhookRequest
from ai_semble.schemas.workflows import WORKFLOW_NAME
from orchestrator.operations.operation import BODY, join
from orchestrator.routes.askers import asker_of
from orchestrator.routes.bodies import described, read_json
from orchestrator.routes.described import add
from orchestrator.workflows.webhooks import Webhooks

Name = Annotated[str, Path(pattern=WORKFLOW_NAME, description="Its name.", examples=["office"])]
_BODY = described(
    WebhookRequest, {"failures": {"url": "https://example.com/hooks/ai-semble", "ends": ["failed"]}}
)
_MISSING = {404: ("webhook_not_found",)}
_WRONG = {422: ("invalid_request",)}
_FULL = {507: ("insufficient_storage",)}


def routes() -> APIRouter:
    """The webhook routes; `app.state.workflows.webhooks` is the Webhooks."""
    router = APIRouter(prefix="/webhooks", tags=["Workflows"])
    add(router, "GET", "", _list, "List webhooks", {})
    add(
        router,
        "PUT",
        "/{name}",
        _put,
        "Be told of the ends of runs",
        join(BODY, {403: ("host_not_listed",), 409: ("webhook_of_another",)}, _FULL),
        {201: {"model": Webhook, "description": "It is new; this is the one time that its secret is told."}},
        response_model=Webhook,
        openapi_extra=_BODY,
    )
    add(router, "GET", "/{name}", _get, "One webhook, with its last messages", {**_MISSING, **_WRONG})
    add(
        router,
        "POST",
        "/{name}/rotate",
        _rotate,
        "Give a webhook a new secret",
        {**_MISSING, **_WRONG, **_FULL},
    )
    add(
        router,
        "DELETE",
        "/{name}",
        _delete,
        "Delete a webhook",
        {**_MISSING, **_WRONG, **_FULL},
        status_code=204,
    )
    return router


async def _list(request: Request) -> WebhookList:
    """By name."""
    return WebhookList(webhooks=await _webhooks(request).all(asker_of(request.scope)))


async def _put(request: Request, response: Response, name: Name) -> Webhook:
    """Of the runs that this key sees. Messages are signed as standardwebhooks.com says, and sent for two days until
    one is answered with 2xx; `webhook-id` stays the same.
    """
    body = await read_json(request, WebhookRequest)
    webhook, is_new = await _webhooks(request).put(name, body, asker_of(request.scope))
    response.status_code = 201 if is_new else 200
    return webhook


async def _get(request: Request, name: Name) -> Webhook:
    """What was sent, and whether it arrived."""
    return await _webhooks(request).get(name, asker_of(request.scope))


async def _rotate(request: Request, name: Name) -> Webhook:
    """The old one signs nothing more."""
    return await _webhooks(request).rotate(name, asker_of(request.scope))


async def _delete(request: Request, name: Name) -> None:
    """Messages that have not arrived are not sent any more."""
    await _webhooks(request).delete(name, asker_of(request.scope))


def _webhooks(request: Request) -> Webhooks:
    webhooks: Webhooks = request.app.state.workflows.webhooks
    return webhooks
