"""GET /health, /health/live and /health/ready: the environment as a whole."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ai_semble.schemas.health import EnvironmentHealth, Liveness, Readiness
from orchestrator.environment.health import EnvironmentProbe


def routes() -> APIRouter:
    router = APIRouter(tags=["Health"])

    @router.get("/health", summary="How the environment is")
    async def health(request: Request) -> EnvironmentHealth:
        """Every service: state, models, the device that is really used, memory. Always 200."""
        return await _probe(request).health()

    @router.get("/health/live", summary="Whether the orchestrator answers")
    async def live() -> Liveness:
        """For a supervisor that restarts what does not answer."""
        return Liveness(status="alive")

    @router.get(
        "/health/ready",
        summary="Whether requests are served",
        responses={503: {"model": Readiness, "description": "Not all services have been ready yet."}},
    )
    async def ready(request: Request, response: Response) -> Readiness:
        """200 as soon as every service has been ready once."""
        missing = await _probe(request).missing()
        if missing:
            response.status_code = 503
            response.headers["Retry-After"] = "1"
        return Readiness(ready=not missing, reason=missing or "All is well.")

    return router


def _probe(request: Request) -> EnvironmentProbe:
    probe: EnvironmentProbe = request.app.state.probe
    return probe
