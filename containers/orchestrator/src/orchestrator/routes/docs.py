"""GET /docs: the API description as a page that needs nothing from outside."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from ai_semble.errors import NotFound

_OWN = Path(__file__).parents[1] / "static"
# Nothing but this server is asked for anything; pictures inside the style sheet are `data:`.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "max-age=3600",
}
_BUNDLED = ("swagger-ui-bundle.js", "swagger-ui.css")
_SHIPPED = ("docs.js", "docs.css", "favicon.svg")


def routes() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def front() -> RedirectResponse:
        return RedirectResponse("/docs")

    @router.get("/docs")
    async def page() -> HTMLResponse:
        return HTMLResponse((_OWN / "docs.html").read_text(encoding="utf-8"), headers=_HEADERS)

    @router.get("/docs/{name}")
    async def asset(name: str) -> FileResponse:
        return FileResponse(_file(name), headers=_HEADERS)

    return router


def _file(name: str) -> Path:
    if name in _SHIPPED:
        return _OWN / name
    if name in _BUNDLED:
        return _bundle() / name
    raise NotFound(f"There is nothing at /docs/{name}")


def _bundle() -> Path:
    """Swagger UI as the package `fastapi-standalone-docs` has it; none of the package's code is run."""
    spec = find_spec("fastapi_standalone_docs")
    if spec is None or spec.origin is None:
        raise NotFound("The documentation page is not installed", hint="/openapi.json has the same content.")
    return Path(spec.origin).parent / "static" / "swagger"
