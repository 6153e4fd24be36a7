"""The API description is complete, and its page needs nothing from outside."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from orchestrator.operations import OPERATIONS

SEED = {
    "/ai/llm/completion": {"prompt": "Hello, how are you?", "max_tokens": 100, "temperature": 0.7},
    "/ai/vision/analyze": {"image_url": "https://example.com/image.jpg", "task": "analyze"},
    "/ai/nlp/process": {"text": "This is a great product!", "task": "sentiment"},
    "/data/process": {"operation": "analyze", "data": {"records": [{"id": 1, "value": 100}]}},
}


@pytest.fixture
def document(api: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_relayed_operation_is_described(document: dict[str, Any]) -> None:
    described = {name for name, _ in operations(document)}
    assert {f"{operation.method} {operation.path}" for operation in OPERATIONS} <= described
    assert {"GET /health", "GET /health/live", "GET /health/ready", "GET /metrics", "GET /jobs"} <= described


@pytest.mark.parametrize("path", SEED)
def test_the_first_example_is_the_one_of_the_front_page(document: dict[str, Any], path: str) -> None:
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert next(iter(content["examples"].values()))["value"] == SEED[path]
    assert content["schema"]


def test_every_error_is_a_problem_with_its_codes(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) < 400 or "/health/ready" in name:
                continue
            kind, model = (
                ("application/json", "OpenAIProblem")
                if " /v1/" in name
                else ("application/problem+json", "Problem")
            )
            assert list(response["content"]) == [kind], (name, status)
            assert response["content"][kind]["schema"]["$ref"].endswith(f"/{model}"), (name, status)
            assert response["description"]


def test_what_every_request_can_get_stands_everywhere(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert {"403", "500"} <= set(operation["responses"]), name
        for status, response in operation["responses"].items():
            assert "X-Request-ID" in response["headers"], (name, status)
            if status == "503":
                assert "Retry-After" in response["headers"], name


def test_a_job_can_be_made_of_the_four_calls(document: dict[str, Any]) -> None:
    for path in SEED:
        operation = document["paths"][path]["post"]
        assert "Prefer" in [parameter["name"] for parameter in operation["parameters"]]
        assert "Location" in operation["responses"]["202"]["headers"]


def test_streams_and_pictures_are_described(document: dict[str, Any]) -> None:
    def kinds(path: str) -> set[str]:
        return set(document["paths"][path]["post"]["responses"]["200"]["content"])

    assert "text/event-stream" in kinds("/ai/llm/completion")
    assert "text/event-stream" in kinds("/v1/chat/completions")
    assert "image/png" in kinds("/ai/vision/analyze")


def test_every_reference_leads_somewhere(document: dict[str, Any], api: httpx.Client) -> None:
    text = api.get("/openapi.json").text
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in document["components"]["schemas"], name
    assert "ai_semble__" not in text
    assert "HTTPValidationError" not in text


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_the_page_asks_for_nothing_from_outside(api: httpx.Client) -> None:
    page = api.get("/docs")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "://" not in page.text
    for source in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        asset = api.get(source)
        assert asset.status_code == 200, source
        assert asset.headers["x-content-type-options"] == "nosniff"
        assert asset.headers["content-type"].split(";")[0] in ("text/css", "text/javascript", "image/svg+xml")


def test_the_front_door_leads_to_the_page(api: httpx.Client) -> None:
    answer = api.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


@pytest.mark.parametrize("name", ["nothing.js", "..%2f..%2fapp.py", "docs.html", "%2e%2e"])
def test_nothing_else_is_served_beside_the_page(api: httpx.Client, name: str) -> None:
    assert api.get(f"/docs/{name}").status_code == 404
