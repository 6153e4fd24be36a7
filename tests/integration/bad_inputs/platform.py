"""Bodies, headers and paths, whatever the service."""

from __future__ import annotations

from collections.abc import Iterator

from tests.integration.bad_inputs.case import Bad

CALLS = ("/ai/llm/completion", "/ai/vision/analyze", "/ai/nlp/process", "/data/process")
JSON = {"Content-Type": "application/json"}


def cases() -> Iterator[Bad]:
    yield from bodies()
    yield from paths()
    yield from doors()


def bodies() -> Iterator[Bad]:
    for path in CALLS:
        for name, content in {
            "empty body": b"",
            "broken JSON": b'{"task": ',
            "JSON with a trailing comma": b'{"task": "x",}',
            "not UTF-8": b'{"task": "\xff\xfe"}',
            "very deep JSON": b"[" * 100_000,
            "a NUL byte": b"\x00",
        }.items():
            yield Bad(f"{path}: {name}", path, 400, "malformed_body", content=content, headers=JSON)
        yield Bad(
            f"{path}: XML",
            path,
            415,
            "unsupported_media_type",
            content=b"<task/>",
            headers={"Content-Type": "application/xml"},
        )
        yield Bad(f"{path}: too long", path, 413, "body_too_large", content=b" " * (33 << 20), headers=JSON)


def paths() -> Iterator[Bad]:
    for path in (
        "/nowhere",
        "/ai",
        "/ai/llm",
        "/ai/llm/completion/",
        "/data",
        "/jobs/",
        "/v1",
        "/v1/nowhere",
    ):
        yield Bad(f"no such path {path}", path, 404, "not_found", method="GET")
    for path in CALLS:
        yield Bad(f"GET {path}", path, 405, "method_not_allowed", method="GET")
        yield Bad(f"DELETE {path}", path, 405, "method_not_allowed", method="DELETE")
    yield Bad("POST /health", "/health", 405, "method_not_allowed")
    for job in ("0", "no-such-job", "../../etc/passwd", "00000000-0000-0000-0000-000000000000"):
        path = f"/jobs/{job.replace('/', '%2F')}"
        code = "not_found" if "/" in job else "job_not_found"
        yield Bad(f"unknown job {job}", path, 404, code, method="GET")
        yield Bad(f"cancel unknown job {job}", path, 404, code, method="DELETE")


def doors() -> Iterator[Bad]:
    body = {"text": "x", "task": "sentiment"}

    def bad(name: str, code: str, status: int = 403, **headers: str) -> Bad:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return Bad(name, "/ai/nlp/process", status, code, json=body, headers=named)

    yield bad("Host of another site", "host_not_allowed", Host="evil.example")
    yield bad("Host of another site with our port", "host_not_allowed", Host="evil.example:8080")
    yield bad("Host that only begins like ours", "host_not_allowed", Host="localhost.evil.example")
    yield bad("Origin of another site", "cross_site_refused", Origin="https://evil.example")
    yield bad("Origin null", "cross_site_refused", Origin="null")
    yield bad("a browser says cross-site", "cross_site_refused", Sec_Fetch_Site="cross-site")
