"""Secrets, prompts and the inside of the machine in logs and answers"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from ai_semble.topology import UPSTREAMS
from tests.attacks.test_smuggling import everything
from tests.hosts.pod_world import PodWorld
from tests.support.attacks import attack
from tests.support.raw_http import connection, head, wait_until
from tests.support.worlds import World

LOGS = "containers/base/src/ai_semble/logs.py"
ENVELOPE = "containers/base/src/ai_semble/envelope.py"
HEADERS = "containers/orchestrator/src/orchestrator/gateway/headers.py"
WORD = "Kryptonitwort"


def logged(world: World) -> str:
    """Everything that the services have written to their logs."""
    if isinstance(world, PodWorld):
        script = "for name in $(podman ps --format '{{.Names}}'); do podman logs $name 2>&1; done; journalctl --user"
        return world.host.run(script, check=False).stdout
    folder = Path(world.variables["XDG_STATE_HOME"]) / "ai-semble" / "default" / "logs"
    return "".join(path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.log*")))


def token(world: World) -> str:
    if isinstance(world, PodWorld):
        read = "podman exec ai-semble-orchestrator bash -c 'cat $AI_SEMBLE_TOKEN_FILE'"
        return world.host.run(read).stdout.strip()
    found = [path for path in world.private_folder.rglob("*") if path.is_file() and "token" in path.name]
    return found[0].read_text("utf-8").strip()


@attack(
    threat="Somebody who reads the logs reads prompts and documents",
    control="Log lines have no text of a request",
    file=LOGS,
)
def test_no_prompt_and_no_document_is_in_a_log(api: httpx.Client, world: World) -> None:
    records = {"operation": "sql", "query": f"SELECT '{WORD}' AS a", "data": {"records": [{"a": WORD}]}}
    broken = {"operation": "sql", "query": f"SELEC {WORD}"}
    chat = {"messages": [{"role": "user", "content": WORD}], "max_tokens": 2}
    calls: dict[str, dict[str, Any]] = {
        "/ai/llm/completion": {"prompt": WORD, "max_tokens": 2},
        "/v1/chat/completions": chat,
        "/ai/nlp/process": {"text": WORD, "task": "language"},
        "/v1/embeddings": {"input": WORD, "model": "use-multilingual-v3"},
    }
    for path, body in calls.items():
        assert api.post(path, json=body).status_code == 200
        assert api.post(path, json=body | {"no_such_field": WORD}).status_code in (200, 422)
        api.post(path, content=WORD.encode(), headers={"Content-Type": "application/json"})
    for body in (records, broken):
        api.post("/data/process", json=body)
    text = logged(world)
    assert '"action":"request"' in text
    assert WORD not in text


@attack(
    threat="The services' token in a log, an answer or the metrics",
    control="It goes into one header and nowhere else",
    file=HEADERS,
)
def test_the_services_token_is_nowhere_to_be_seen(api: httpx.Client, world: World) -> None:
    secret = token(world)
    assert len(secret) > 20
    echoes = [api.get(path) for path in ("/health", "/metrics", "/openapi.json", "/docs", "/jobs")]
    echoes += [
        api.post("/ai/nlp/process", json={"text": "x", "task": "wrong"}),
        api.get("/data/datasets/none"),
    ]
    assert all(secret not in answer.text and secret not in str(answer.headers) for answer in echoes)
    assert secret not in logged(world)


@attack(
    threat="A caller's own credentials reach a service or a log",
    control="Authorization and Cookie end at the gateway",
    file=HEADERS,
)
def test_a_callers_credentials_are_not_logged(api: httpx.Client, world: World) -> None:
    headers = {"Authorization": f"Bearer {WORD}", "Cookie": f"session={WORD}"}
    api.post("/ai/nlp/process", json={"text": "x", "task": "language"}, headers=headers)
    assert WORD not in logged(world)


@attack(
    threat="A line break in a path forges a line of the log",
    control="Every line is one JSON object",
    file=LOGS,
)
def test_a_path_forges_no_log_line(port: int, world: World) -> None:
    forged = "%0a%7b%22action%22%3a%22forged%22%2c%22level%22%3a%22ERROR%22%7d%0a"
    with connection(port) as client:
        client.sendall(head("GET", f"/{forged}", "Connection: close", host="localhost"))
        assert b" 400 " in everything(client)

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in logged(world).splitlines() if line.startswith("{")]

    # The line is written after the answer, and takes its way to the log.
    wait_until(lambda: any("forged" in line.get("path", "") for line in lines()), "the path is logged")
    assert not [line for line in lines() if line.get("action") == "forged"]


@attack(
    threat="A local program calls a service past the gateway",
    control="The environment's own token",
    file=ENVELOPE,
)
@pytest.mark.parametrize("service", list(UPSTREAMS))
def test_a_service_answers_nobody_without_the_token(world: World, service: str) -> None:
    for path in ("/ai/nlp/process", "/ai/llm/completion", "/data/process", "/data/datasets", "/openapi.json"):
        assert world.knock(service, path, {"text": "x", "task": "language"})["code"] == "unauthorized"


@attack(
    threat="Paths and programs of the machine in an error",
    control="Problems are written for people, a defect tells nothing",
    file="containers/base/src/ai_semble/problems.py",
)
def test_an_error_tells_nothing_of_the_machine(api: httpx.Client) -> None:
    broken = {"Content-Type": "application/octet-stream"}
    answers = [
        api.put("/data/datasets/x", params={"format": kind}, content=b"\0\1\2PAR1 nonsense", headers=broken)
        for kind in ("json", "parquet", "arrow", "xlsx")
    ]
    answers.append(api.post("/ai/vision/analyze", files={"image": ("x", b"\x89PNG\r\n\x1a\n" + b"\0" * 50)}))
    answers.append(api.post("/data/process", json={"operation": "sql", "query": "SELECT 1 +"}))
    for answer in answers:
        assert 400 <= answer.status_code < 500, answer.text[:300]
        for inside in ("Traceback", "/site-packages", "/opt/", "/home", "/var/", ".work", ".py"):
            assert inside not in answer.text, answer.text[:500]


@attack(
    threat="A header that tells versions of programs",
    control="No Server header",
    file="containers/base/src/ai_semble/serve.py",
)
def test_no_header_tells_which_programs_run(api: httpx.Client) -> None:
    for answer in (api.get("/health"), api.get("/nowhere"), api.post("/ai/nlp/process", json={})):
        assert not {"server", "x-powered-by", "via"} & set(answer.headers)
