"""Every command of the front page that one types on the host, as typed, and what its reader expects to see."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ai_semble.topology import SERVICES
from tests.hosts.environment import Installed
from tests.support.pictures import photo

CONTAINERS = {f"ai-semble-{name}" for name in SERVICES}


def typed(running: Installed, line: str) -> str:
    """What a line prints when it is typed in the checkout."""
    return running.script(line).stdout


def test_the_health_of_the_platform(running: Installed) -> None:
    health = json.loads(typed(running, "curl --no-progress-meter http://localhost:8080/health"))
    assert health["status"] == "ready", health["reason"]
    assert set(health["services"]) == set(SERVICES)


def call(running: Installed, path: str, body: str) -> dict[str, Any]:
    line = (
        f"curl --no-progress-meter -X POST http://localhost:8080{path} \\\n"
        f"  -H \"Content-Type: application/json\" \\\n  -d '{body}'"
    )
    answer: dict[str, Any] = json.loads(typed(running, line))
    return answer


def test_the_language_model_answers(running: Installed) -> None:
    body = '{\n    "prompt": "Hello, how are you?",\n    "max_tokens": 100,\n    "temperature": 0.7\n  }'
    assert len(call(running, "/ai/llm/completion", body)["text"].split()) >= 3


def test_a_picture_at_a_url_is_described(running: Installed, shared_files: tuple[Any, str]) -> None:
    folder, url = shared_files
    photo("chelsea").save(folder / "image.jpg", quality=92)
    body = f'{{\n    "image_url": "{url}/image.jpg",\n    "task": "analyze"\n  }}'
    assert "cat" in call(running, "/ai/vision/analyze", body)["description"].lower()


def test_a_happy_sentence_is_positive(running: Installed) -> None:
    body = '{\n    "text": "This is a great product!",\n    "task": "sentiment"\n  }'
    assert call(running, "/ai/nlp/process", body)["result"]["label"] == "positive"


def test_records_are_analyzed(running: Installed) -> None:
    body = '{\n    "operation": "analyze",\n    "data": {"records": [{"id": 1, "value": 100}]}\n  }'
    answer = call(running, "/data/process", body)
    assert {"id", "value"} <= set(re.findall(r'"name": "(\w+)"', json.dumps(answer))), answer


def test_the_metrics_of_every_service(running: Installed) -> None:
    metrics = typed(running, "curl --no-progress-meter http://localhost:8080/metrics")
    for name in SERVICES:
        assert f'ai_semble_up{{service="{name}"}} 1.0' in metrics


def test_podman_pod_ps_shows_the_pod_running(running: Installed) -> None:
    line = one_line(typed(running, "podman pod ps"), r"\bai-semble\b")
    assert "Running" in line, line


def test_podman_ps_shows_each_container_up_and_in_the_pod(running: Installed) -> None:
    shown = typed(running, "podman ps --pod")
    for name in CONTAINERS:
        line = one_line(shown, rf"\b{name}\b")
        assert " Up " in line, line
        assert re.search(r"\bai-semble\s*$", line), line


def test_the_journal_of_the_pod_shows_what_every_service_says(running: Installed) -> None:
    journal = typed(running, "journalctl --user -u ai-semble.pod --no-pager")
    said = {line["service"] for line in json_lines(journal)}
    assert said == set(SERVICES), journal[-2000:]


def test_the_journal_of_the_pod_can_be_followed(running: Installed) -> None:
    follow = "timeout 5 journalctl --user -u ai-semble.pod -f --lines=0 || true"
    ask = (
        "curl --no-progress-meter -H 'X-Request-ID: seen-in-the-journal' -d '{\"text\": 1}'"
        " -H 'Content-Type: application/json' http://localhost:8080/ai/nlp/process"
    )
    shown = typed(running, f"(sleep 2; {ask}) >/dev/null 2>&1 & {follow}")
    assert "seen-in-the-journal" in shown


def test_errors_are_found_in_the_journal(running: Installed) -> None:
    """A service that is gone is one, as soon as somebody misses it."""
    # Not by `podman kill`, after which Podman 4 takes the container to be stopped on purpose.
    process = "podman inspect --type container --format '{{.State.Pid}}' ai-semble-nlp"
    body = '{"text": "x", "task": "language"}'
    ask = (
        "curl --silent --output /dev/null --write-out '%{http_code}' -H 'X-Request-ID: missed-it'"
        f" -H 'Content-Type: application/json' -d '{body}' http://localhost:8080/ai/nlp/process"
    )
    assert typed(running, f"podman unshare kill -9 $({process}); {ask}") in ("502", "503")
    wait_until_ready(running)
    journal = "journalctl --user -u ai-semble.pod --no-pager"
    found = typed(running, f"{journal} | grep ERROR || {{ {journal} | tail -40; exit 1; }}")
    assert [line for line in json_lines(found) if line.get("request_id") == "missed-it"], found


def test_podman_logs_of_a_service_are_lines_of_json(running: Installed) -> None:
    lines = json_lines(running.script("podman logs ai-semble-orchestrator 2>&1").stdout)
    assert {line["service"] for line in lines} == {"orchestrator"}


def test_a_shell_in_a_container(running: Installed) -> None:
    answer = running.host.run(
        "podman exec -it ai-semble-orchestrator /bin/bash", input="id --name --user; exit 7\n",
        terminal=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 7, answer.stdout
    assert "ai-semble" in answer.stdout


def test_the_network_of_the_pod(running: Installed) -> None:
    network = json.loads(typed(running, "podman network inspect ai-semble"))[0]
    assert network["name"] == "ai-semble"
    assert network["driver"] == "bridge"
    one_line(typed(running, "podman network ls"), r"\bai-semble\b")


def test_what_the_containers_use(running: Installed) -> None:
    shown = typed(running, "podman stats --no-stream")
    for name in CONTAINERS:
        one_line(shown, rf"\b{name}\b")


@pytest.mark.parametrize("volume", ["ai-semble-models", "ai-semble-data", "ai-semble-state"])
def test_the_volumes(running: Installed, volume: str) -> None:
    one_line(typed(running, "podman volume ls"), rf"\b{volume}\b")


@pytest.mark.parametrize("verb", ["status", "health", "logs --lines 20", "start", "restart"])
def test_a_verb_ends_well_and_shows_something(running: Installed, verb: str) -> None:
    answer = running.script(f"./scripts/deploy.sh {verb}")
    assert answer.stdout + answer.stderr
    wait_until_ready(running)


def test_status_and_health_name_every_service(running: Installed) -> None:
    for verb in ("status", "health"):
        shown = typed(running, f"./scripts/deploy.sh {verb}")
        for name in SERVICES:
            assert name in shown, shown


def test_the_log_can_be_followed(running: Installed) -> None:
    shown = typed(running, "timeout 6 ./scripts/deploy.sh logs --follow || true")
    assert any(name in shown for name in SERVICES), shown


def test_stop_stops_and_start_starts_again(running: Installed) -> None:
    typed(running, "./scripts/deploy.sh stop")
    try:
        assert not CONTAINERS & set(typed(running, "podman ps --format '{{.Names}}'").split())
        assert running.deploy("status", check=False).returncode == 1
        assert running.script("curl --silent http://localhost:8080/health", check=False).returncode != 0
    finally:
        typed(running, "./scripts/deploy.sh start")
    wait_until_ready(running)


def wait_until_ready(running: Installed) -> None:
    """Until the platform says so itself."""
    ready = 'curl --silent http://localhost:8080/health | grep --quiet \'"status": *"ready"\''
    typed(running, f"for i in $(seq 240); do {ready} && exit; sleep 0.5; done; ./scripts/deploy.sh status")


def one_line(text: str, pattern: str) -> str:
    """The only line of a table in which a name stands."""
    lines = [line for line in text.splitlines() if re.search(rf"(?<!-){pattern}(?!-)", line)]
    assert lines, f"no line has {pattern}:\n{text}"
    return lines[0]


def json_lines(text: str) -> list[dict[str, Any]]:
    """The log's lines of JSON; journalctl puts time, host and program before each."""
    return [json.loads(line[line.index("{") :]) for line in text.splitlines() if '{"' in line]
