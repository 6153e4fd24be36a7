"""POST /ai/vision/analyze."""

from __future__ import annotations

import time
from dataclasses import dataclass
from io import BytesIO

from fastapi import APIRouter, Request, Response

from ai_semble.connection import while_connected
from ai_semble.errors import NotAcceptable
from ai_semble.schemas.vision import VisionTask
from ai_semble.workpool import WorkPool
from ai_services.vision.analysis import Analysis, Analyst
from ai_services.vision.drawing.annotate import annotated
from ai_services.vision.engines.sessions import give_back_memory
from ai_services.vision.intake import Order, read_order

JSON = "application/json"
_FORMATS = {"image/png": ("PNG", {"compress_level": 3}), "image/jpeg": ("JPEG", {"quality": 90})}
OFFERED = (JSON, *_FORMATS)
_LARGE = 4_000_000


@dataclass(frozen=True)
class Desk:
    """What the handler works with."""

    analyst: Analyst
    pool: WorkPool


def create_router() -> APIRouter:
    """The route. It finds its Desk in `app.state.vision`."""
    router = APIRouter(tags=["vision"])

    @router.post("/ai/vision/analyze")
    async def analyze(request: Request) -> Response:
        """Labels, objects, text, faces, safety or a vector of one picture, or the picture with them drawn."""
        kind = chosen_type(request.headers.get("accept", ""))
        order = await read_order(request)
        if kind in _FORMATS and order.options.task is VisionTask.EMBED:
            raise NotAcceptable("A vector cannot be drawn", hint="Ask for application/json.")
        return await _answered(request, order, kind)

    return router


async def _answered(request: Request, order: Order, kind: str) -> Response:
    """The answer. Where the client goes away while its order waits, it is not worked on at all."""
    desk: Desk = request.app.state.vision
    work = desk.pool.run(_work, desk.analyst, order, kind, time.perf_counter())
    return Response(await while_connected(request, work), media_type=kind)


def _work(analyst: Analyst, order: Order, kind: str, asked: float) -> bytes:
    """Look, and write the answer; in a worker thread."""
    waited = round((time.perf_counter() - asked) * 1000, 2)
    analysis = analyst.analyze(order.data, order.options, for_drawing=kind in _FORMATS)
    if kind == JSON:
        answer = analysis.answer
        timed = answer.model_copy(update={"timings": {"queue_ms": waited, **answer.timings}})
        body = timed.model_dump_json(exclude_none=True).encode()
    else:
        body = _drawn(analysis, kind)
    large = analysis.picture.width * analysis.picture.height > _LARGE
    del analysis
    if large:
        give_back_memory()
    return body


def _drawn(analysis: Analysis, kind: str) -> bytes:
    buffer = BytesIO()
    name, options = _FORMATS[kind]
    annotated(analysis.picture, analysis.answer).save(buffer, name, **options)
    return buffer.getvalue()


def chosen_type(accept: str) -> str:
    """The offered type that the header prefers; JSON where it does not care. Raises NotAcceptable.

    Of equally wanted types the one that is named first wins, so `image/png, */*` is a picture.
    """
    wanted = [_media_range(item) for item in accept.split(",") if item.strip()] or [("*/*", 1.0)]
    for range_, quality in sorted(wanted, key=lambda item: -item[1]):
        for offered in OFFERED:
            if quality > 0 and range_ in (offered, "*/*", f"{offered.partition('/')[0]}/*"):
                return offered
    raise NotAcceptable(f"`{accept}` is none of {', '.join(OFFERED)}")


def _media_range(item: str) -> tuple[str, float]:
    """The type and its quality: `image/png;q=0.5`."""
    range_, *parameters = (part.strip() for part in item.split(";"))
    quality = next((part[2:] for part in parameters if part.lower().startswith("q=")), "1")
    try:
        return range_.lower(), float(quality)
    except ValueError:
        return range_.lower(), 0.0
