"""Calls about workflows and their runs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ai_semble_client.answers.base import Answer
from ai_semble_client.answers.workflows import Run, RunDetail, RunPage, Workflow, WorkflowSummary
from ai_semble_client.calls.call import Call, given, nothing, reading, words
from ai_semble_client.errors import UnusableFile


class _Listed(Answer):
    workflows: tuple[WorkflowSummary, ...]


def workflows() -> Call[tuple[WorkflowSummary, ...]]:
    """Every workflow, by name."""
    return Call("GET", "/workflows", lambda body: _Listed.model_validate_json(body).workflows)


def workflow(name: str, *, version: int | None = None) -> Call[Workflow]:
    """A workflow with its file and its versions."""
    return Call("GET", _workflow(name), reading(Workflow), params=words(version=version))


def put_workflow(name: str, file: str | Path) -> Call[Workflow]:
    """Store a workflow file; a changed one is a new version."""
    path = Path(file)
    if not path.is_file():
        raise UnusableFile(f"{path} is no file", "Give the path of a workflow in YAML, TOML or JSON.")
    kind = "application/toml" if path.suffix == ".toml" else "application/yaml"
    return Call("PUT", _workflow(name), reading(Workflow), headers={"Content-Type": kind}, upload=path)


def delete_workflow(name: str) -> Call[None]:
    """Delete a workflow with all its versions; its runs stay."""
    return Call("DELETE", _workflow(name), nothing, repeatable=False)


def start_workflow(
    name: str,
    inputs: Mapping[str, Any] | None = None,
    *,
    version: int | None = None,
    idempotency_key: str | None = None,
) -> Call[Run]:
    """Run a workflow. Sent twice with one key it is one run, so it can be tried again."""
    body = given(inputs=dict(inputs or {}), version=version)
    headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
    return Call("POST", f"{_workflow(name)}/runs", reading(Run), json=body, headers=headers)


def run_page(
    name: str, *, state: str | None = None, limit: int = 50, cursor: str | None = None
) -> Call[RunPage]:
    """Runs of a workflow, newest first; `next_cursor` is the `cursor` of the page after it."""
    params = words(state=state, limit=limit, cursor=cursor)
    return Call("GET", f"{_workflow(name)}/runs", reading(RunPage), params=params)


def workflow_run(run_id: str, *, wait_s: float = 0) -> Call[RunDetail]:
    """How a run and its steps stand; answered at its end, or after `wait_s` (60 at most)."""
    return Call("GET", _run(run_id), reading(RunDetail), params={"wait_s": f"{wait_s:g}"})


def run_outputs(run_id: str) -> Call[bytes]:
    """What a run gives back, as JSON, however long it is."""
    return Call("GET", f"{_run(run_id)}/outputs", bytes)


def cancel_run(run_id: str) -> Call[Run]:
    """Stop a run that has not ended."""
    return Call("POST", f"{_run(run_id)}/cancel", reading(Run))


def retry_run(run_id: str) -> Call[Run]:
    """Go on from where a run failed or was cancelled."""
    return Call("POST", f"{_run(run_id)}/retry", reading(Run), repeatable=False)


def rerun(
    run_id: str, inputs: Mapping[str, Any] | None = None, *, idempotency_key: str | None = None
) -> Call[Run]:
    """Run it again, with the inputs that change."""
    headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
    body = {"inputs": dict(inputs or {})}
    return Call("POST", f"{_run(run_id)}/rerun", reading(Run), json=body, headers=headers)


def delete_run(run_id: str) -> Call[None]:
    """Delete a run that has ended, with its results."""
    return Call("DELETE", _run(run_id), nothing, repeatable=False)


def run_events(run_id: str, after: int = 0) -> Call[bytes]:
    """What happens to a run, from the line after number `after`."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
    return Call("GET", f"{_run(run_id)}/events", bytes, headers=headers)


def _workflow(name: str) -> str:
    return f"/workflows/{quote(name, safe='')}"


def _run(run_id: str) -> str:
    return f"/runs/{quote(run_id, safe='')}"
