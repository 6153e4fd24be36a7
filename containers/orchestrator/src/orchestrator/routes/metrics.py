"""GET /metrics: one scrape shows every service."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ai_semble.metrics import CONTENT_TYPE
from orchestrator.environment.metrics import Scrape


def routes() -> APIRouter:
    router = APIRouter(tags=["Health"])

    @router.get(
        "/metrics",
        summary="Prometheus metrics of all services",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def scrape(request: Request) -> Response:
        """Every sample carries `service`; `ai_semble_up` says which services answered."""
        source: Scrape = request.app.state.scrape
        return Response(await source.text(), media_type=CONTENT_TYPE)

    return router
