"""The datasets of the environment."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from ai_semble.connection import while_connected
from ai_semble.schemas.data_answers import DatasetDescription, DatasetList
from ai_semble.schemas.data_parts import Compression, Format
from data_processor.datasets.formats import Kind, kind_named, tell
from data_processor.datasets.store import DatasetStore, StoredFile
from data_processor.processor import Upload
from data_processor.routes.bodies import save_body
from data_processor.routes.desk import desk_of

router = APIRouter(prefix="/data/datasets", tags=["data"])


@router.get("")
async def list_datasets(request: Request) -> DatasetList:
    """All datasets, by name."""
    files = await asyncio.to_thread(desk_of(request).processor.store.all)
    return DatasetList.model_validate({"datasets": [file.summary() for file in files]})


@router.get("/{name}")
async def describe_dataset(request: Request, name: str) -> DatasetDescription:
    """A dataset with its columns and the number of its rows."""
    described = await while_connected(request, desk_of(request).processor.describe(name))
    return DatasetDescription.model_validate(described)


@router.put("/{name}", status_code=201, responses={200: {"model": DatasetDescription}})
async def upload_dataset(
    request: Request,
    response: Response,
    name: str,
    format: Annotated[Format | None, Query()] = None,
    encoding: Annotated[str, Query(max_length=32)] = "",
    replace: bool = False,
) -> DatasetDescription:
    """Store the body as a dataset. It is read once as a whole; what cannot be read is not kept."""
    desk = desk_of(request)
    store = desk.processor.store
    await asyncio.to_thread(store.check_free, name, replace=replace)
    existed = any(file.name == name for file in await asyncio.to_thread(store.all))
    with store.job_folder() as folder:
        path = folder / "upload"
        await save_body(request, path, desk.max_upload, store.room, encoding)
        kind = tell(path, wish=format or "", media_type=request.headers.get("content-type", ""))
        adding = desk.processor.add(Upload(path, kind), name, folder, replace=replace)
        described = await while_connected(request, adding)
    response.status_code = 200 if existed else 201
    response.headers["Location"] = f"/data/datasets/{quote(name)}"
    return DatasetDescription.model_validate(described)


@router.delete("/{name}", status_code=204)
async def delete_dataset(request: Request, name: str) -> Response:
    """Forget a dataset."""
    await asyncio.to_thread(desk_of(request).processor.store.delete, name)
    return Response(status_code=204)


@router.get("/{name}/content")
async def download_dataset(
    request: Request,
    name: str,
    format: Annotated[Format | None, Query()] = None,
    compression: Annotated[Compression | None, Query()] = None,
) -> Response:
    """The rows of a dataset as a file: as stored, or in another format."""
    processor = desk_of(request).processor
    stored = await asyncio.to_thread(processor.store.find, name)
    if format is None and compression in (None, stored.kind.compression):
        return _file(stored.path, stored, stored.kind)
    kind = kind_named(format or stored.kind.format, compression or "none")
    if kind == stored.kind:
        return _file(stored.path, stored, stored.kind)
    folder = await asyncio.to_thread(processor.store.make_job_folder)
    try:
        path = await while_connected(request, processor.convert(name, kind, folder))
    except BaseException:
        processor.store.remove_job_folder(folder)
        raise
    return _PassingFile(
        processor.store, folder, path, media_type=kind.media_type, filename=_file_name(name, kind)
    )


def _file(path: Path, stored: StoredFile, kind: Kind) -> FileResponse:
    return FileResponse(path, media_type=kind.media_type, filename=_file_name(stored.name, kind))


def _file_name(name: str, kind: Kind) -> str:
    return f"{name}.{kind.ending}"


class _PassingFile(FileResponse):
    """A file made for one answer, which goes away with its folder when it is sent, or the client is gone."""

    def __init__(
        self, store: DatasetStore, folder: Path, path: Path, *, media_type: str, filename: str
    ) -> None:
        super().__init__(path, media_type=media_type, filename=filename)
        self._store = store
        self._job_folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.to_thread(self._store.remove_job_folder, self._job_folder)
