"""Health, metrics, request ids and documentation of the whole environment."""

from __future__ import annotations

import io

import httpx
from PIL import Image

from ai_semble.topology import SERVICES
from tests.support.pictures import photo
from tests.support.worlds import World


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_health_shows_every_service_and_what_it_runs_on(api: httpx.Client) -> None:
    health = api.get("/health").json()
    assert health["status"] == "ready", health["reason"]
    assert set(health["services"]) == set(SERVICES)
    for service in health["services"].values():
        assert service["state"] == "ready"
        assert service["device"] == "cpu"
        assert service["memory_bytes"] > 0
    models = [model["name"] for model in health["services"]["llm"]["models"]]
    assert models == ["smollm2-135m-instruct"]


def test_it_is_alive_and_ready(api: httpx.Client) -> None:
    assert api.get("/health/live").status_code == 200
    assert api.get("/health/ready").json()["ready"] is True


def test_one_scrape_shows_all_services(api: httpx.Client) -> None:
    api.post("/ai/nlp/process", json={"text": "Good.", "task": "sentiment"})
    text = api.get("/metrics").text
    for name in SERVICES:
        assert f'ai_semble_up{{service="{name}"}} 1.0' in text
        assert f'service="{name}"' in text
    assert text.count("# TYPE ai_semble_http_requests_total") <= 1


def test_the_request_id_goes_through_every_hop(api: httpx.Client) -> None:
    answer = api.post(
        "/ai/nlp/process", json={"text": "x", "task": "wrong"}, headers={"X-Request-ID": "hop-1"}
    )
    assert answer.headers["x-request-id"] == "hop-1"
    problem = answer.json()
    assert (problem["request_id"], problem["source"], problem["code"]) == ("hop-1", "nlp", "invalid_request")


def test_the_documentation_page_needs_nothing_from_outside(api: httpx.Client) -> None:
    page = api.get("/docs")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "https://" not in page.text.replace("https://example.com", "")


def test_the_openapi_document_describes_every_field(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    undescribed = [
        f"{name}.{key}"
        for name, schema in document["components"]["schemas"].items()
        for key, field in schema.get("properties", {}).items()
        if not field.get("description") and "const" not in field
    ]
    assert undescribed == []


def test_a_services_own_door_opens_only_with_its_token(world: World) -> None:
    problem = world.knock("nlp", "/ai/nlp/process", {"text": "x", "task": "sentiment"})
    assert problem["code"] == "unauthorized"


def test_no_library_keeps_a_device_id_or_reports_what_is_done(api: httpx.Client, world: World) -> None:
    files = {"image": ("x.png", png(photo("coffee")), "image/png")}
    assert api.post("/ai/vision/analyze", files=files, data={"task": "classify"}).status_code == 200
    written = world.written_files()
    assert written, "nothing was looked at"
    assert [path for path in written if "microsoft" in path.lower()] == []
