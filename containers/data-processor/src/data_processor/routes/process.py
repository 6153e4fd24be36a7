"""POST /data/process."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ai_semble.connection import while_connected
from ai_semble.errors import UnsupportedMediaType
from data_processor.routes.bodies import read_body
from data_processor.routes.desk import desk_of
from data_processor.routes.multipart import read_form

router = APIRouter(prefix="/data", tags=["data"])


@router.post("/process")
async def process(request: Request) -> Response:
    """An operation on inline records, a dataset or an uploaded file.

    `ai_semble.schemas.data` describes the body; workers validate it, so that a long one holds up nobody.
    """
    desk = desk_of(request)
    with desk.processor.store.job_folder() as folder:
        upload = None
        match request.headers.get("content-type", "").partition(";")[0].strip().lower():
            case "application/json":
                body = await read_body(request, desk.max_body)
            case "multipart/form-data":
                body, upload = await read_form(
                    request, folder, desk.max_body, desk.max_upload, desk.processor.store.room
                )
            case other:
                raise UnsupportedMediaType(
                    f"The content type is {other or 'missing'}",
                    hint="Send `Content-Type: application/json`, or a form with a part `file`.",
                )
        answer = await while_connected(request, desk.processor.process(body, folder, upload))
    return Response(answer, media_type="application/json")
