"""Workflows, their runs, schedules and webhooks."""

from __future__ import annotations

from collections.abc import Iterator

from tests.integration.bad_inputs.case import Bad

YAML = {"Content-Type": "application/yaml"}
NOBODY = "0" * 32


def cases() -> Iterator[Bad]:
    yield from files()
    yield from runs()
    yield from others()


def files() -> Iterator[Bad]:
    step = "{nlp: {task: language, text: hi}}"
    for name, content in {
        "empty": "",
        "a list": "- 1",
        "no steps": "steps: {}",
        "anchors": f"a: &a {step}\nsteps: {{a: *a}}",
        "a billion laughs": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nsteps: *c",
        "very deep": "[" * 100_000,
        "an object of Python": "steps: !!python/object/apply:os.system [id]",
        "a step of no kind": "steps: {a: {when: true}}",
        "an unknown step": "steps: {a: {nlp: {task: language, text: '${{ steps.b.result }}'}}}",
        "a circle": "steps: {a: {after: [b], llm: {prompt: x}}, b: {after: [a], llm: {prompt: x}}}",
        "a wrong request": "steps: {a: {nlp: {task: nonsense, text: hi}}}",
        "no expression": "steps: {a: {nlp: {task: language, text: '${{ )( }}'}}}",
        "control characters": "steps: {a: \x01}",
    }.items():
        yield Bad(
            f"workflow: {name}",
            "/workflows/bad",
            422,
            "invalid_workflow",
            method="PUT",
            content=content.encode(),
            headers=YAML,
        )
    yield Bad(
        "workflow: not UTF-8",
        "/workflows/bad",
        422,
        "invalid_workflow",
        method="PUT",
        content=b"\xff",
        headers=YAML,
    )
    yield Bad(
        "workflow: too long",
        "/workflows/bad",
        413,
        "body_too_large",
        method="PUT",
        content=b"#" * (257 << 10),
        headers=YAML,
    )
    yield Bad(
        "workflow: a form", "/workflows/bad", 415, "unsupported_media_type", method="PUT", data={"a": "b"}
    )
    for name in ("Upper", "under_score", "a" * 64):
        yield Bad(f"workflow called {name[:12]}", f"/workflows/{name}", 422, "invalid_request", method="GET")


def runs() -> Iterator[Bad]:
    yield Bad("run of no workflow", "/workflows/absent/runs", 404, "workflow_not_found", json={})
    yield Bad("run with a list", "/workflows/absent/runs", 422, "invalid_request", json=[])
    yield Bad(
        "run with an unknown member",
        "/workflows/absent/runs",
        422,
        "invalid_request",
        json={"x": 1},
        names="x",
    )
    yield Bad("run with broken JSON", "/workflows/absent/runs", 400, "malformed_body", content=b"{")
    yield Bad("run with deep JSON", "/workflows/absent/runs", 400, "malformed_body", content=b"[" * 100_000)
    yield Bad(
        "run with many values",
        "/workflows/absent/runs",
        413,
        "body_too_large",
        content=b"[" + b"1," * 300_000 + b"1]",
    )
    for action in ("cancel", "retry", "rerun"):
        yield Bad(f"{action} no run", f"/runs/{NOBODY}/{action}", 404, "run_not_found")
    for part in ("", "/outputs", "/log", "/events", "/graph", "/steps/a/result"):
        yield Bad(f"no run{part}", f"/runs/{NOBODY}{part}", 404, "run_not_found", method="GET")


def others() -> Iterator[Bad]:
    schedule = {"workflow": "absent", "cron": "* * * * *"}
    yield Bad(
        "schedule of no workflow", "/schedules/bad", 404, "workflow_not_found", method="PUT", json=schedule
    )
    yield Bad(
        "schedule without times",
        "/schedules/bad",
        422,
        "invalid_request",
        method="PUT",
        json={"workflow": "x"},
    )
    yield Bad("no schedule", "/schedules/absent", 404, "schedule_not_found", method="GET")
    for url in ("http://169.254.169.254/", "https://example.com@evil.example/", "file:///etc/passwd", "x"):
        yield Bad(
            f"webhook at {url}", "/webhooks/bad", 403, "host_not_listed", method="PUT", json={"url": url}
        )
    yield Bad("no webhook", "/webhooks/absent", 404, "webhook_not_found", method="GET")
