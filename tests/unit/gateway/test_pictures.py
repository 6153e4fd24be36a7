"""A picture given by URL is fetched by the gateway and handed to the vision service as bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from python_multipart.multipart import parse_form

from orchestrator.app import create_app
from orchestrator.gateway.calls import Call
from orchestrator.gateway.pictures import may_name_a_url, url_in
from tests.support.serving import serving
from tests.support.upstream import Exchange, Upstream, answering, upstream
from tests.unit.gateway.conftest import runtime_for

PATH = "/ai/vision/analyze"
PICTURE = b"\xff\xd8JPEG" + bytes(range(256)) * 2000


@pytest.fixture
def files() -> Iterator[Upstream]:
    with upstream() as server:
        server.answer = answering(200, "image/jpeg", PICTURE)
        yield server


@pytest.fixture
def vision() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture
def api(tmp_path: Path, files: Upstream, vision: Upstream) -> Iterator[httpx.Client]:
    fetch = {"allowed_private_hosts": [f"127.0.0.1:{files.port}"], "max_bytes": 1_000_000, "timeout_s": 2}
    runtime = runtime_for(tmp_path, {"vision": vision.port}, fetch=fetch)
    with serving(create_app(runtime)) as url, httpx.Client(base_url=url, timeout=10) as client:
        yield client


def parts(service: Upstream) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The fields and the files of the multipart body that came in last."""
    fields: dict[str, bytes] = {}
    found: dict[str, bytes] = {}

    def on_field(field: Any) -> None:
        fields[field.field_name.decode()] = field.value

    def on_file(file: Any) -> None:
        file.file_object.seek(0)
        found[file.field_name.decode()] = file.file_object.read()

    headers = {"Content-Type": service.last().headers["content-type"].encode()}
    body = bytes(service.last().body)

    class Source:
        def read(self, _: int) -> bytes:
            nonlocal body
            now, body = body, b""
            return now

    parse_form(headers, Source(), on_field, on_file)
    return fields, found


def test_the_picture_arrives_as_bytes_and_the_url_does_not(
    api: httpx.Client, files: Upstream, vision: Upstream
) -> None:
    body = {"image_url": f"{files.url}/a.jpg", "task": "analyze", "top_k": 3}
    answer = api.post(f"{PATH}?x=1", json=body, headers={"Accept": "image/png"})
    assert answer.status_code == 200
    fields, found = parts(vision)
    assert json.loads(fields["request"]) == {"task": "analyze", "top_k": 3}
    assert found == {"image": PICTURE}
    seen = vision.last()
    assert seen.target == f"{PATH}?x=1"
    assert seen.headers["accept"] == "image/png"
    assert b"Content-Type: image/jpeg" in seen.body
    assert seen.headers["authorization"].startswith("Bearer ")


@pytest.mark.parametrize(
    "body",
    [
        b'{"image": "aGk=", "task": "ocr"}',
        b'{"image_url": "data:image/png;base64,aGk="}',
        b'{"image": "aGk=", "image_url": "http://127.0.0.1/"}',
        b'{"image_url": ["http://127.0.0.1/"]}',
        b'{"image_url": null}',
        b'[{"image_url": "http://127.0.0.1/"}]',
        b'{"image_url": "http://127.0.0.1/"',
        b"\xff\xfe",
        b"",
    ],
    ids=repr,
)
def test_any_other_body_goes_on_as_it_is(api: httpx.Client, vision: Upstream, body: bytes) -> None:
    answer = api.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert vision.last().body == body


def test_a_multipart_body_goes_on_as_it_is(api: httpx.Client, vision: Upstream) -> None:
    api.post(PATH, files={"image": ("a.png", b"PNG", "image/png")}, data={"task": "ocr"})
    fields, found = parts(vision)
    assert (fields, found) == ({"task": b"ocr"}, {"image": b"PNG"})


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("http://127.0.0.1:1/a.png", 403, "url_not_allowed"),
        ("http://169.254.169.254/latest/meta-data", 403, "url_not_allowed"),
        ("HTTP://LOCALHOST/a.png", 403, "url_not_allowed"),
        ("https://[::1]/a.png", 403, "url_not_allowed"),
        ("http://", 422, "invalid_url"),
        ("ftp://example.com/a.png", 422, "invalid_url"),
        ("picture.png", 422, "invalid_url"),
        ("http://u:p@example.com/", 403, "url_not_allowed"),
    ],
)
def test_a_url_that_may_not_be_fetched_is_refused_here(
    api: httpx.Client, vision: Upstream, url: str, status: int, code: str
) -> None:
    answer = api.post(PATH, json={"image_url": url})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["source"]) == (status, code, "orchestrator")
    assert problem["hint"]
    assert not vision.seen


async def too_long(exchange: Exchange) -> None:
    await exchange.head(200, "Content-Type: image/png", "Transfer-Encoding: chunked")
    while True:
        await exchange.chunk(b"x" * 100_000)


async def breaks_off(exchange: Exchange) -> None:
    await exchange.head(200, "Content-Type: image/png", "Content-Length: 1000000")
    await exchange.send(b"x" * 500_000)
    await asyncio.sleep(0.1)
    exchange.cut()


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        (answering(404, "text/plain", b""), 424, "url_fetch_failed"),
        (answering(200, "text/html", b"<html>"), 422, "url_wrong_type"),
        (Exchange.gone, 424, "url_timeout"),
        (too_long, 422, "url_too_large"),
        (breaks_off, 424, "url_fetch_failed"),
    ],
    ids=["missing", "page", "silent", "endless", "broken"],
)
def test_a_picture_that_cannot_be_had_is_told_by_its_own_code(
    api: httpx.Client, files: Upstream, behaviour: Any, status: int, code: str
) -> None:
    """Also when the service has got the beginning of the picture already."""
    files.answer = behaviour
    answer = api.post(PATH, json={"image_url": f"{files.url}/a.png"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_service_that_is_down_is_told_though_the_picture_was_there(tmp_path: Path, files: Upstream) -> None:
    fetch = {"allowed_private_hosts": [f"127.0.0.1:{files.port}"]}
    with serving(create_app(runtime_for(tmp_path, {"vision": 1}, fetch=fetch))) as url:
        answer = httpx.post(url + PATH, json={"image_url": f"{files.url}/a.png"})
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")


def test_only_json_for_the_vision_service_is_looked_into() -> None:
    def named(target: str, kind: str) -> bool:
        headers = (("content-type", kind),) if kind else ()
        return may_name_a_url(Call("vision", "POST", target, headers))

    assert named(PATH, "application/json; charset=utf-8")
    assert named(f"{PATH}?a=b", "Application/JSON")
    assert named(PATH, "")
    assert not named(PATH, "multipart/form-data; boundary=x")
    assert not named(f"{PATH}2", "application/json")
    assert not named("/ai/nlp/process", "application/json")


def test_the_last_of_two_equal_keys_is_the_one_that_counts() -> None:
    """As it does for the service: otherwise one could be checked and the other fetched."""
    assert (
        url_in(b'{"image_url": "http://a.example/", "image_url": "http://b.example/"}') == "http://b.example/"
    )
    assert url_in(b'{"image_url": "http://a.example/", "image_url": "data:,x"}') is None
