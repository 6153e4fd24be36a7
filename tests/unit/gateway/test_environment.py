"""Health and metrics of all services in one answer, whatever some of them do."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ai_semble.metrics import Metrics
from ai_semble.schemas.health import ServiceHealth, State
from ai_semble.topology import SERVICES, UPSTREAMS
from orchestrator.app import create_app
from orchestrator.environment.health import judge
from orchestrator.environment.metrics import merge
from orchestrator.environment.once import Once
from tests.support.serving import serving
from tests.support.upstream import Answer, Exchange, Upstream, answering
from tests.unit.gateway.conftest import Gateway, runtime_for


def health_of(name: str, state: State = State.READY, reason: str = "") -> ServiceHealth:
    return ServiceHealth(
        service=name,
        state=state,
        reason=reason or state.sentence,
        version="2.0.0",
        device="cpu",
        models=(),
        memory_bytes=1000,
        uptime_s=5,
        pid=7,
    )


def reporting(name: str, state: State = State.READY, reason: str = "") -> Answer:
    """A service with this health, and metrics of its own."""
    metrics = Metrics(name)
    metrics.counter("ai_semble_made_up", "A counter.", ["kind"]).labels(f"of {name}").inc(3)
    metrics.count_request("POST", "/x", 200, 0.01)
    health = health_of(name, state, reason).model_dump_json().encode()

    async def answer(exchange: Exchange) -> None:
        if exchange.seen.target == "/metrics":
            await exchange.answer(200, "text/plain", metrics.render())
        else:
            await exchange.answer(200, "application/json", health)

    return answer


@pytest.fixture
def reports(gateway: Gateway) -> dict[str, Upstream]:
    """The services, all of them well; health answers of earlier tests are no longer kept."""
    for name, service in gateway.services.items():
        service.answer = reporting(name)
    time.sleep(0.55)
    return gateway.services


def test_when_all_is_well_it_says_so_and_adds_up(reports: dict[str, Upstream], api: httpx.Client) -> None:
    answer = api.get("/health")
    health = answer.json()
    assert (answer.status_code, health["status"], health["reason"]) == (200, "ready", "All is well.")
    assert set(health["services"]) == set(SERVICES)
    assert health["services"]["llm"]["pid"] == 7
    assert health["memory_bytes"] > 4000
    assert health["environment"] == "default"


def test_a_dead_service_makes_it_degraded_and_is_named(
    reports: dict[str, Upstream], api: httpx.Client
) -> None:
    async def cut(exchange: Exchange) -> None:
        exchange.cut()

    reports["vision"].answer = cut
    answer = api.get("/health")
    health = answer.json()
    assert (answer.status_code, health["status"]) == (200, "degraded")
    assert health["reason"].startswith("vision is unreachable: ")
    assert health["services"]["vision"]["state"] == "unreachable"
    assert health["services"]["llm"]["state"] == "ready"


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b'{"state": "ready"}', b'{"detail": "unauthorized"}'])
def test_an_answer_that_is_no_health_is_not_taken_for_one(
    reports: dict[str, Upstream], api: httpx.Client, body: bytes
) -> None:
    reports["nlp"].answer = answering(200, "application/json", body)
    assert api.get("/health").json()["services"]["nlp"]["state"] == "unreachable"


def test_a_silent_service_does_not_hold_up_the_others(
    reports: dict[str, Upstream], api: httpx.Client
) -> None:
    for name in ("llm", "vision", "nlp"):
        reports[name].answer = Exchange.gone
    started = time.monotonic()
    health = api.get("/health").json()
    assert time.monotonic() - started < 4, "they are asked at the same time, 1.5 s each"
    assert [service["state"] for service in health["services"].values()].count("unreachable") == 3


def test_many_who_ask_at_once_are_one_question(reports: dict[str, Upstream], gateway: Gateway) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: httpx.get(f"{gateway.url}/health").json()["status"], range(40)))
    assert set(answers) == {"ready"}
    assert len(reports["llm"].seen) <= 2 + (time.monotonic() - started) / 0.5


@pytest.mark.parametrize(
    ("states", "expected", "words"),
    [
        ([State.READY, State.READY], State.READY, "All is well."),
        ([State.READY, State.LOADING], State.STARTING, "b is loading"),
        ([State.STARTING, State.LOADING], State.STARTING, "a is starting"),
        ([State.READY, State.DEGRADED], State.DEGRADED, "b is degraded"),
        ([State.LOADING, State.FAILED], State.DEGRADED, "b is failed"),
        ([State.UNREACHABLE, State.UNREACHABLE], State.DEGRADED, "a is unreachable"),
    ],
)
def test_the_whole_is_as_well_as_its_parts(states: list[State], expected: State, words: str) -> None:
    status, reason = judge({name: health_of(name, state) for name, state in zip("ab", states, strict=True)})
    assert status is expected
    assert words in reason


def test_it_is_ready_once_every_service_has_been(tmp_path: Path, gateway: Gateway) -> None:
    services = gateway.services
    for name, service in services.items():
        service.answer = reporting(name)
    services["llm"].answer = reporting("llm", State.LOADING)
    ports = {name: service.port for name, service in services.items()}
    with serving(create_app(runtime_for(tmp_path, ports))) as url, httpx.Client(base_url=url) as client:
        assert client.get("/health/live").json() == {"status": "alive"}
        waiting = client.get("/health/ready")
        assert (waiting.status_code, waiting.json()["ready"]) == (503, False)
        assert "llm" in waiting.json()["reason"]
        assert waiting.headers["retry-after"]
        services["llm"].answer = reporting("llm", State.DEGRADED)
        time.sleep(0.55)
        assert client.get("/health/ready").status_code == 200
        services["llm"].answer = reporting("llm", State.FAILED)
        time.sleep(0.55)
        assert client.get("/health/ready").status_code == 200, "the others can still be reached"
        assert client.get("/health").json()["status"] == "degraded"


def test_one_scrape_shows_all_services(reports: dict[str, Upstream], api: httpx.Client) -> None:
    text = api.get("/metrics").text
    for name in UPSTREAMS:
        assert f'ai_semble_made_up_total{{kind="of {name}",service="{name}"}} 3.0' in text
    for name in SERVICES:
        assert f'ai_semble_up{{service="{name}"}} 1.0' in text
    families = [family.name for family in text_string_to_metric_families(text)]
    assert len(families) == len(set(families)), "Prometheus refuses a family that comes twice"
    assert text.count("# TYPE ai_semble_http_requests_total counter") == 1


def test_a_dead_service_only_lacks_its_samples(reports: dict[str, Upstream], api: httpx.Client) -> None:
    reports["vision"].answer = Exchange.gone
    text = api.get("/metrics").text
    assert 'ai_semble_up{service="vision"} 0.0' in text
    assert 'ai_semble_up{service="llm"} 1.0' in text
    assert 'service="vision"}' not in text.replace('ai_semble_up{service="vision"}', "")
    assert 'kind="of nlp"' in text


def test_samples_of_one_family_stand_together_under_one_description() -> None:
    first = '# HELP a_total A.\n# TYPE a_total counter\na_total{s="1"} 1\n# HELP h H.\n# TYPE h histogram\n'
    first += 'h_bucket{s="1",le="+Inf"} 1\nh_count{s="1"} 1\nh_sum{s="1"} 2\n'
    second = '# HELP a_total Other words.\n# TYPE a_total counter\na_total{s="2"} 2\nfree{s="2"} 4\n'
    assert merge([first, second]).splitlines() == [
        "# HELP a_total A.",
        "# TYPE a_total counter",
        'a_total{s="1"} 1',
        'a_total{s="2"} 2',
        "# HELP h H.",
        "# TYPE h histogram",
        'h_bucket{s="1",le="+Inf"} 1',
        'h_count{s="1"} 1',
        'h_sum{s="1"} 2',
        'free{s="2"} 4',
    ]


async def test_one_asker_that_leaves_does_not_take_the_answer_from_the_others() -> None:
    made = 0

    async def make() -> int:
        nonlocal made
        made += 1
        await asyncio.sleep(0.05)
        return made

    once = Once(make, keep_s=0.05)
    leaver, stayer = asyncio.ensure_future(once.get()), asyncio.ensure_future(once.get())
    await asyncio.sleep(0.01)
    leaver.cancel()
    assert await stayer == 1
    assert await once.get() == 1
    await asyncio.sleep(0.06)
    assert await once.get() == 2


async def test_a_failure_is_told_to_all_who_asked_and_then_forgotten() -> None:
    failing = True

    async def make() -> str:
        if failing:
            raise ValueError("once")
        return "good"

    once = Once(make, keep_s=0)
    answers = await asyncio.gather(once.get(), once.get(), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ValueError, ValueError]
    failing = False
    assert await once.get() == "good"


def test_health_is_json_that_the_schema_reads(reports: dict[str, Upstream], api: httpx.Client) -> None:
    services = json.loads(api.get("/health").content)["services"]
    for service in services.values():
        ServiceHealth.model_validate(service)
