"""The body of a request, however it is sent: its options and the bytes of its picture."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeVar
from urllib.parse import unquote_to_bytes

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from ai_semble.errors import FieldProblem, InvalidRequest, MalformedBody, UnsupportedMediaType
from ai_semble.schemas.vision import VisionOptions, VisionRequest
from ai_services.vision.errors import ImageUrlNotFetched

_INLINE = 64 * 1024
"""Longer bodies are parsed in a thread: a megabyte of base64 takes milliseconds."""

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Order:
    """What is asked, of which file."""

    options: VisionOptions
    data: bytes


async def read_order(request: Request) -> Order:
    """Raises MalformedBody, InvalidRequest, UnsupportedMediaType, ImageUrlNotFetched."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _from_form(request)
    if kind == "application/json" or not kind:
        body = await request.body()
        return _from_json(body) if len(body) <= _INLINE else await asyncio.to_thread(_from_json, body)
    raise UnsupportedMediaType(f"The body is {kind}; application/json and multipart/form-data are read")


def _from_json(body: bytes) -> Order:
    wanted = _validated(VisionRequest, body)
    if bool(wanted.image) == bool(wanted.image_url):
        raise _refused("image", "give the picture as exactly one of `image` and `image_url`")
    options = VisionOptions.model_validate(wanted.model_dump(include=set(VisionOptions.model_fields)))
    data = _base64(wanted.image, "image") if wanted.image else from_data_url(wanted.image_url)
    return Order(options, data)


async def _from_form(request: Request) -> Order:
    try:
        async with request.form(max_files=1, max_fields=8) as form:
            fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
            image = form.get("image")
            if not isinstance(image, UploadFile):
                raise _refused("image", "the part with the picture is missing, or is no file")
            return Order(_form_options(fields), await image.read() or _empty("image"))
    except MultiPartException as error:
        raise MalformedBody(error.message, hint="Send a well-formed multipart/form-data body.") from error


def _form_options(fields: Mapping[str, str]) -> VisionOptions:
    """Options as the part `request` in JSON, or each as a field of its own."""
    if "request" not in fields:
        return _validated(VisionOptions, dict(fields))
    if len(fields) > 1:
        extra = ", ".join(sorted(fields.keys() - {"request"}))
        raise _refused("request", f"give the options here or as fields ({extra}), not both")
    return _validated(VisionOptions, fields["request"].encode())


def from_data_url(url: str) -> bytes:
    """The bytes in a `data:` URL (RFC 2397). Raises ImageUrlNotFetched for any other."""
    scheme, _, rest = url.partition(":")
    if not rest:
        raise _refused("image_url", "is no URL")
    if scheme.lower() != "data":
        raise ImageUrlNotFetched(f"The picture is at a {scheme}: address")
    header, comma, payload = rest.partition(",")
    if not comma:
        raise _refused("image_url", "a data: URL has a comma before its data")
    if header.lower().endswith(";base64"):
        return _base64(payload, "image_url")
    return unquote_to_bytes(payload) or _empty("image_url")


def _base64(text: str, field: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True) or _empty(field)
    except ValueError as error:
        raise _refused(field, f"not valid base64: {error}") from error


def _validated(model: type[M], given: bytes | Mapping[str, str]) -> M:
    try:
        return model.model_validate_json(given) if isinstance(given, bytes) else model.model_validate(given)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        if problems[0]["type"] == "json_invalid":
            raise MalformedBody(f"The body is not valid JSON: {problems[0]['ctx']['error']}") from error
        raise RequestValidationError([{**it, "loc": ("body", *it["loc"])} for it in problems]) from error


def _empty(field: str) -> NoReturn:
    raise _refused(field, "the picture is empty, 0 bytes")


def _refused(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {message}", fields=[FieldProblem(field, message)])
