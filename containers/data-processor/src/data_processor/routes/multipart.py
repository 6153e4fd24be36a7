"""A `POST /data/process` as a form: the file onto the disk, everything else into the request."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from ai_semble.errors import BodyTooLarge, MalformedBody
from ai_semble.room import Room
from data_processor.datasets.formats import tell
from data_processor.processor import Upload
from data_processor.routes.bodies import FileWriter, check_announced, chunks

FILE, REQUEST = "file", "request"
_ABOUT_THE_FILE = ("format", "encoding")
_MAX_FIELDS = 100


@dataclass
class _Part:
    headers: dict[str, str] = field(default_factory=dict)
    name: str = ""
    file_name: str = ""
    body: bytearray = field(default_factory=bytearray)
    writer: FileWriter | None = None


async def read_form(
    request: Request, folder: Path, most_fields: int, most_file: int, room: Room
) -> tuple[bytes, Upload | None]:
    """The request as JSON, and the file if there is one.

    A part `request` is the JSON itself; otherwise the fields are its members, each as JSON or else as text.
    The fields `format` and `encoding` are about the file. Raises MalformedBody, BodyTooLarge,
    InsufficientStorage, UnknownFormat.
    """
    check_announced(request, most_fields + most_file, room)
    _, options = parse_options_header(request.headers.get("content-type", ""))
    if b"boundary" not in options:
        raise MalformedBody(
            "The content type has no boundary", hint="Let your HTTP client set the content type."
        )
    form = _Form(folder / "upload", most_fields, most_file, room)
    parser = MultipartParser(options[b"boundary"], form.callbacks())  # type: ignore[arg-type]
    try:
        async for piece in chunks(request):
            await asyncio.to_thread(parser.write, piece)
        parser.finalize()
    except MultipartParseError as error:
        raise MalformedBody(f"The form is broken: {error}") from error
    finally:
        form.close()
    if not form.ended:
        raise MalformedBody("The form ends before its last boundary")
    return form.request(), form.upload()


class _Form:
    """Takes a form apart as it comes."""

    def __init__(self, path: Path, most_fields: int, most_file: int, room: Room) -> None:
        self.ended = False
        self._path = path
        self._left = most_fields
        self._most_file = most_file
        self._room = room
        self._part = _Part()
        self._fields: dict[str, bytes] = {}
        self._file: _Part | None = None
        self._header = (bytearray(), bytearray())

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._end_form,
        }

    def close(self) -> None:
        if self._file and self._file.writer:
            self._file.writer.__exit__()

    def request(self) -> bytes:
        """The request's JSON."""
        if REQUEST in self._fields:
            return self._fields[REQUEST]
        members = {name: _value(text) for name, text in self._fields.items() if name not in _ABOUT_THE_FILE}
        return orjson.dumps(members)

    def upload(self) -> Upload | None:
        if self._file is None:
            return None
        wish = self._fields.get("format", b"").decode("utf-8", "replace")
        kind = tell(
            self._path,
            wish=wish,
            file_name=self._file.file_name,
            media_type=self._file.headers.get("content-type", ""),
        )
        return Upload(self._path, kind)

    def _begin(self) -> None:
        self._part = _Part()

    def _end_header(self) -> None:
        name, value = (bytes(part).decode("latin-1") for part in self._header)
        self._part.headers[name.lower()] = value
        self._header = (bytearray(), bytearray())

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._part.headers.get("content-disposition", ""))
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        self._part.file_name = options.get(b"filename", b"").decode("utf-8", "replace")
        if self._part.name != FILE:
            return
        if self._file is not None:
            raise MalformedBody("There are two files, and an operation takes one")
        encoding = self._fields.get("encoding", b"").decode("utf-8", "replace")
        self._part.writer = FileWriter(self._path, self._most_file, self._room, encoding).__enter__()
        self._file = self._part

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._part.writer is not None:
            self._part.writer.write(piece)
            return
        self._left -= len(piece)
        if self._left < 0:
            raise BodyTooLarge("The fields of the form are too long")
        self._part.body += piece

    def _end(self) -> None:
        if self._part.writer is not None:
            self._part.writer.finish()
            return
        if not self._part.name or self._part.name in self._fields or len(self._fields) >= _MAX_FIELDS:
            raise MalformedBody("A part of the form has no name, or a name that there is already")
        self._fields[self._part.name] = bytes(self._part.body)

    def _end_form(self) -> None:
        self.ended = True


def _value(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.decode("utf-8", "replace")
