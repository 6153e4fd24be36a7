"""POST /ai/vision/analyze."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from PIL import Image

from tests.integration.bad_inputs.case import Bad, invalid

PATH = "/ai/vision/analyze"


def picture(form: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, form)
    return buffer.getvalue()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def huge_png(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that says it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def cases() -> Iterator[Bad]:
    yield from fields()
    yield from files()
    yield from urls()


def fields() -> Iterator[Bad]:
    good: dict[str, Any] = {"image": encoded(picture())}
    yield invalid("no picture", PATH, {"task": "analyze"}, "image")
    yield invalid("two pictures", PATH, good | {"image_url": "https://example.com/x.png"}, "image")
    yield invalid("unknown vision task", PATH, good | {"task": "caption"}, "task")
    yield invalid("vision task is a number", PATH, good | {"task": 3}, "task")
    yield invalid("top_k of zero", PATH, good | {"top_k": 0}, "top_k")
    yield invalid("top_k too large", PATH, good | {"top_k": 101}, "top_k")
    yield invalid("min_score over one", PATH, good | {"min_score": 1.5}, "min_score")
    yield invalid("min_score below zero", PATH, good | {"min_score": -0.5}, "min_score")
    yield invalid("unknown vision field", PATH, good | {"url": "x"}, "url")
    yield invalid("picture is a number", PATH, {"image": 5}, "image")
    yield invalid("picture is an empty string", PATH, {"image": ""}, "image")
    yield invalid("picture is a list", PATH, {"image": [1, 2]}, "image")


def files() -> Iterator[Bad]:
    def bad(name: str, data: bytes, status: int, code: str) -> Iterator[Bad]:
        yield Bad(f"base64: {name}", PATH, status, code, json={"image": encoded(data)})
        yield Bad(f"upload: {name}", PATH, status, code, files={"image": ("x.png", data, "image/png")})

    jpeg = picture("JPEG", (640, 480))
    yield from bad("a text file", b"just words", 415, "image_format_unsupported")
    yield from bad("an SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "image_format_unsupported")
    yield from bad("a PDF", b"%PDF-1.7\n", 415, "image_format_unsupported")
    yield from bad("a zip", b"PK\x03\x04" + b"\0" * 60, 415, "image_format_unsupported")
    yield from bad("an HTML page", b"<!doctype html><html></html>", 415, "image_format_unsupported")
    yield from bad("a truncated JPEG", jpeg[: len(jpeg) // 2], 422, "image_truncated")
    yield from bad("a JPEG header alone", jpeg[:20], 422, "image_truncated")
    yield from bad("a truncated PNG", picture()[:60], 422, "image_truncated")
    yield from bad(
        "100,000 x 100,000 pixels in 100 bytes", huge_png(100_000, 100_000), 413, "image_too_large"
    )
    yield from bad("144 megapixels", huge_png(12_000, 12_000), 413, "image_too_large")
    yield Bad("picture is no base64", PATH, 422, "invalid_request", json={"image": "***"})
    yield Bad("upload without a file", PATH, 422, "invalid_request", files={"other": ("x", b"x")})
    yield Bad("an empty upload", PATH, 422, "invalid_request", files={"image": ("x.png", b"", "image/png")})


def urls() -> Iterator[Bad]:
    for url in (
        "http://127.0.0.1:1/x.png",
        "http://localhost/x.png",
        "http://[::1]/x.png",
        "http://10.0.0.1/x.png",
        "http://192.168.1.1/x.png",
        "http://172.16.0.1/x.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.1]/x.png",
        "http://[fd00::1]/x.png",
        "http://2130706433/x.png",
        "http://0x7f.1/x.png",
        "http://0.0.0.0/x.png",
        "http://user:secret@example.com/x.png",
    ):
        yield Bad(f"url {url}", PATH, 403, "url_not_allowed", json={"image_url": url})
    for url in ("ftp://example.com/x.png", "file:///etc/passwd", "gopher://example.com/", "javascript:1"):
        yield Bad(f"url {url}", PATH, 422, "invalid_url", json={"image_url": url})
    yield Bad("data URL without data", PATH, 422, "invalid_request", json={"image_url": "data:image/png"})
    yield Bad(
        "data URL that is text",
        PATH,
        415,
        "image_format_unsupported",
        json={"image_url": f"data:text/plain;base64,{encoded(b'just words')}"},
    )
