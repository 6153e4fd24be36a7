"""Good services pass the probe, and every way to answer wrongly is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from aiohttp import web
from typer.testing import CliRunner

from ai_semble.cli import create_cli
from ai_semble.config import SECTION_NAMES, Config
from ai_semble.probe.asking import Door, ask
from ai_semble.probe.questions import Implausible, Question, questions_for
from ai_semble.topology import LLM, NLP, ORCHESTRATOR, SERVICES
from tests.support.fake_service import FakeService, failing, fake_service
from tests.support.serving import free_port

PATHS = {
    "llm": "/ai/llm/completion",
    "vision": "/ai/vision/analyze",
    "nlp": "/ai/nlp/process",
    "data-processor": "/data/process",
    "orchestrator": "/health",
}


def door_to(service: str, port: int) -> Door:
    return Door(Config.model_validate({SECTION_NAMES.get(service, service): {"port": port}}), "t")


def answer_to(question: Question, door: Door, service: str) -> bytes:
    """What the real service answers."""
    url = f"http://{door.host}:{door.config.port_of(service)}{question.path}"
    headers = {"Authorization": f"Bearer {door.token}"}
    if question.body is None:
        return httpx.get(url, headers=headers, timeout=60).content
    return httpx.post(url, json=question.body, headers=headers, timeout=60).content


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_works_is_well(door: Door, service: str) -> None:
    for _ in range(3):
        assert ask(door, service, 60).reason == ""


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_newer_service_adds_to_its_answer_is_no_illness(door: Door, service: str) -> None:
    """The old image asks the new one."""
    for question in questions_for(service, door.config):
        answer = json.loads(answer_to(question, door, service))
        for part in (answer, *(answer.get("results") or ())):
            part["added"] = 1
        question.judge(json.dumps(answer).encode())


@pytest.mark.parametrize("service", sorted(SERVICES.keys() - {ORCHESTRATOR.name}))
def test_an_answer_to_another_question_is_found_out(door: Door, service: str) -> None:
    """The questions differ each time; with 1,000 numbers, 64 patterns and 1,024 sizes some pairs are equal."""
    (asked,) = questions_for(service, door.config)
    answer = answer_to(asked, door, service)
    refused = 0
    for _ in range(20):
        (question,) = questions_for(service, door.config)
        try:
            question.judge(answer)
        except Implausible:
            refused += 1
    assert refused >= 12


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"OK", b'{"text": "hello"}', b"\xff\xfe"])
def test_another_form_is_no_answer(service: str, body: bytes) -> None:
    for question in questions_for(service, Config()):
        with pytest.raises(Implausible, match="form of one"):
            question.judge(body)


def changed(raw: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(raw)
    change(document)
    return json.dumps(document).encode()


WRONG: dict[str, tuple[str, Callable[[dict[str, Any]], object], str]] = {
    "no text": ("llm", lambda d: d.update(text=" \n"), "neither letters nor digits"),
    "no tokens": ("llm", lambda d: d["usage"].update(completion_tokens=0), "0 tokens were written"),
    "free text": ("llm", lambda d: d.update(text="I like amber"), "was possible"),
    "no labels": ("vision", lambda d: d.update(labels=[]), "no labels"),
    "other task": ("vision", lambda d: d.update(task="ocr"), "no labels"),
    "scores": ("vision", lambda d: d.update(labels=d["labels"][::-1]), "best first"),
    "scores of 0": (
        "nlp",
        lambda d: [r["scores"].update(positive=0, neutral=0, negative=0) for r in d["results"]],
        "add up to 0.00",
    ),
    "nothing": ("nlp", lambda d: d.update(results=[]), "found nothing"),
    "rows": ("data-processor", lambda d: d["result"]["profile"].update(rows=3), "3 rows"),
    "health": ("orchestrator", lambda d: d["services"].pop("nlp"), "says nothing of nlp"),
    "starting": ("orchestrator", lambda d: d.update(status="starting"), "it is starting"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_answer_says_what_is_wrong(door: Door, case: str) -> None:
    service, change, why = WRONG[case]
    question = questions_for(service, door.config)[0]
    answer = answer_to(question, door, service)
    question.judge(answer)
    with pytest.raises(Implausible, match=why):
        question.judge(changed(answer, change))


def test_a_remote_engine_may_write_any_text() -> None:
    config = Config.model_validate({"llm": {"engine": "openai", "base_url": "http://gpu-box:8000/v1"}})
    (question,) = questions_for(LLM.name, config)
    assert question.body is not None and "response_format" not in question.body


def test_nobody_listens() -> None:
    verdict = ask(door_to("nlp", free_port()), NLP.name, 1)
    assert "it does not answer /ai/nlp/process (" in verdict.reason


@pytest.mark.parametrize("service", SERVICES)
def test_an_error_is_told_with_its_detail(service: str) -> None:
    fake = FakeService()
    fake.on(PATHS[service], failing(1000, 500, "internal_error"))
    with fake_service(service=fake) as running:
        verdict = ask(door_to(service, int(running.url.rpartition(":")[2])), service, 5)
    assert verdict.reason == f"it answers {PATHS[service]} with 500: not now"
    assert len(fake.calls) == 1


def test_a_busy_service_is_asked_again() -> None:
    fake = FakeService()
    fake.on(PATHS["nlp"], failing(2, 503, "overloaded"))
    with fake_service(service=fake) as running:
        verdict = ask(door_to("nlp", int(running.url.rpartition(":")[2])), NLP.name, 30)
    assert len(fake.calls) == 3
    assert "form of one" in verdict.reason


def test_a_service_that_never_answers_costs_its_time_and_no_more() -> None:
    fake = FakeService()
    gate = fake.hold(PATHS["llm"])
    with fake_service(service=fake) as running:
        verdict = ask(door_to("llm", int(running.url.rpartition(":")[2])), LLM.name, 1)
        gate.open()
    assert "timed out" in verdict.reason
    assert verdict.seconds < 5


def test_the_token_is_shown() -> None:
    with fake_service() as fake:
        ask(door_to("nlp", int(fake.url.rpartition(":")[2])), NLP.name, 5)
        assert fake.calls[0].headers["authorization"] == "Bearer t"


def test_another_body_than_json_does_not_break_the_probe() -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(status=502, text="<html>")

    fake = FakeService()
    fake.on(PATHS["nlp"], page)
    with fake_service(service=fake) as running:
        verdict = ask(door_to("nlp", int(running.url.rpartition(":")[2])), NLP.name, 5)
    assert verdict.reason == "it answers /ai/nlp/process with 502"


def test_the_command_prints_a_line_each_and_fails_when_one_is_sick(
    door: Door, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text(door.token)
    monkeypatch.setenv("AI_SEMBLE_TOKEN_FILE", str(token))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AI_SEMBLE_NLP__PORT", str(door.config.nlp.port))
    monkeypatch.setenv("AI_SEMBLE_DATA__PORT", str(free_port()))
    result = CliRunner().invoke(create_cli(), ["probe", "--timeout", "5", "nlp", "data-processor"])
    # The services run in this process, too; what they log stands between.
    nlp, data = (line.split("\t") for line in result.stdout.splitlines() if "\t" in line)
    assert nlp[:2] == ["nlp", "well"]
    assert data[:2] == ["data-processor", "sick"] and "does not answer /data/process" in data[2]
    assert result.exit_code == 1
    assert CliRunner().invoke(create_cli(), ["probe", "nlp"]).exit_code == 0


def test_an_unknown_service_is_wrong_usage() -> None:
    result = CliRunner().invoke(create_cli(), ["probe", "nlq"])
    assert result.exit_code == 2
