"""A whole environment of fake services: started, hurt, healed, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.error
from collections.abc import Iterator
from contextlib import suppress
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from ai_semble.embedded.lock import SupervisorLock
from ai_semble.topology import SERVICES
from tests.support.supervised_environment import FakeEnvironment, eventually, fake_environment, is_gone


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[FakeEnvironment]:
    with fake_environment(tmp_path) as made:
        yield made


@pytest.fixture
def running(environment: FakeEnvironment) -> FakeEnvironment:
    started = environment.command("up")
    assert started.returncode == 0, started.stdout + started.stderr
    return environment


def supervisor_pid(environment: FakeEnvironment) -> int | None:
    return SupervisorLock(environment.state_dir / "run" / "supervisor.lock").holder()


def test_up_says_what_runs_and_what_to_try(environment: FakeEnvironment) -> None:
    answer = environment.command("up")
    assert answer.returncode == 0, answer.stderr
    for name, port in environment.ports.items():
        assert name in answer.stdout
        assert str(port) in answer.stdout
    assert "llm-model" in answer.stdout
    assert "nothing isolates" in answer.stdout
    assert (
        f"curl -X POST http://localhost:{environment.ports['orchestrator']}/ai/llm/completion"
        in answer.stdout
    )


def test_a_second_up_changes_nothing(running: FakeEnvironment) -> None:
    before = supervisor_pid(running)
    again = running.command("up")
    assert again.returncode == 0
    assert "already running" in again.stderr
    assert supervisor_pid(running) == before


def test_what_was_started_on_other_ports_is_found_there(running: FakeEnvironment) -> None:
    """A port of one start, as the hint of a busy port says it, is not in the settings of the next command."""
    others = {"AI_SEMBLE_ORCHESTRATOR__PORT": "9", "AI_SEMBLE_NLP__PORT": "9"}
    status = running.command("status", **others)
    assert (status.returncode, "all services are ready" in status.stdout) == (0, True), status.stdout
    assert str(running.ports["nlp"]) in status.stdout
    assert running.command("health", **others).returncode == 0
    assert f"localhost:{running.ports['orchestrator']}/" in running.command("up", **others).stdout
    assert running.command("port", **others).stdout.split() == [str(running.ports["orchestrator"])]
    running.command("down")
    assert running.command("port", **others).stdout.split() == ["9"]


def test_two_starts_at_once_are_one(environment: FakeEnvironment) -> None:
    starts = [environment.start("up") for _ in range(2)]
    said = [start.communicate(timeout=60)[0] for start in starts]
    assert [start.returncode for start in starts] == [0, 0], said
    assert sorted("already running" in text for text in said) == [False, True]
    assert len(environment.processes()) == len(SERVICES)


def test_down_leaves_no_process_and_children_of_services_end_too(running: FakeEnvironment) -> None:
    child = running.ask("nlp", "/child")["pid"]
    assert running.command("down").returncode == 0
    assert is_gone(child)
    assert running.processes() == []
    assert supervisor_pid(running) is None
    assert running.command("down").returncode == 0
    assert running.command("status").returncode == 1


def test_a_service_that_ignores_the_polite_end_is_killed(tmp_path: Path) -> None:
    with fake_environment(tmp_path, FAKE_DEAF_TO_SIGTERM="llm") as environment:
        environment.command("up")
        pid = environment.service("llm")["pid"]
        assert environment.command("down").returncode == 0
        assert is_gone(pid)


def test_a_killed_service_is_started_again_and_the_others_go_on(running: FakeEnvironment) -> None:
    before = running.status()["services"]
    os.kill(before["llm"]["pid"], signal.SIGKILL)
    after = eventually(lambda: (now := running.status()["services"])["llm"]["state"] == "ready" and now)
    assert after["llm"]["restarts"] == 1
    assert after["llm"]["pid"] != before["llm"]["pid"]
    assert after["nlp"]["pid"] == before["nlp"]["pid"]
    assert "SIGKILL" in after["llm"]["last_exit"]


def test_a_service_that_keeps_dying_is_failing_with_its_last_words(tmp_path: Path) -> None:
    settings = {"AI_SEMBLE_EMBEDDED__FAILING_AFTER": "2", "FAKE_CRASH_AT_START": "nlp"}
    with fake_environment(tmp_path, **settings) as environment:
        started = environment.command("up")
        assert started.returncode == 1
        assert "RuntimeError: there is no model" in started.stdout
        assert "./scripts/deploy.sh logs nlp" in started.stdout
        assert environment.service("nlp")["phase"] in ("failing", "starting")
        assert environment.service("llm")["state"] == "ready"
        first = environment.service("nlp")["restarts"]
        eventually(lambda: environment.service("nlp")["restarts"] > first)


def test_a_hung_service_is_killed_and_started_again(tmp_path: Path) -> None:
    with fake_environment(tmp_path, AI_SEMBLE_EMBEDDED__HUNG_AFTER_S="1") as environment:
        environment.command("up")
        # `up` asks the services itself; one that the supervisor has not heard yet may take as long as a start does.
        eventually(lambda: environment.service("vision")["phase"] == "running")
        with suppress(TimeoutError, urllib.error.URLError):
            environment.ask("vision", "/hang", timeout_s=0.2)
        healed = eventually(
            lambda: (
                (now := environment.service("vision"))["restarts"] >= 1 and now["state"] == "ready" and now
            )
        )
        assert "without an answer" in healed["last_exit"]


def test_nothing_outlives_a_killed_supervisor(running: FakeEnvironment) -> None:
    child = running.ask("nlp", "/child")["pid"]
    services = [service["pid"] for service in running.status()["services"].values()]
    pid = supervisor_pid(running)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: all(is_gone(service) for service in services))
    assert running.command("up").returncode == 0
    assert is_gone(child)
    assert len(running.processes()) == len(SERVICES)


def test_a_busy_port_is_one_line_with_a_hint_and_the_next_try_works(environment: FakeEnvironment) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", environment.ports["llm"]))
        other.listen()
        refused = environment.command("up")
    assert refused.returncode == 1
    assert f"Port {environment.ports['llm']} (llm) is in use by" in refused.stderr
    assert "AI_SEMBLE_LLM__PORT=" in refused.stderr
    assert environment.processes() == []
    assert environment.command("up").returncode == 0


def test_status_shows_the_error_of_a_service_that_crashed(running: FakeEnvironment) -> None:
    with suppress(RemoteDisconnected, urllib.error.URLError):
        running.ask("data-processor", "/crash")
    eventually(lambda: running.service("data-processor")["restarts"] == 1)
    assert "ended with exit status 3" in running.service("data-processor")["last_exit"]


def test_health_is_the_orchestrators_document(running: FakeEnvironment) -> None:
    answer = running.command("health", "--json")
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["status"] == "ready"


def test_health_without_an_environment_still_is_a_document(environment: FakeEnvironment) -> None:
    answer = environment.command("health", "--json")
    assert answer.returncode == 1
    assert set(json.loads(answer.stdout)["services"]) == set(SERVICES)


def test_logs_follow_all_services(running: FakeEnvironment) -> None:
    following = running.start("logs", "--follow", "--json", "-n", "1")
    assert following.stdout is not None
    following.stdout.readline()
    running.ask("nlp", "/somewhere")
    assert any('"/somewhere"' in line for line in iter(following.stdout.readline, ""))
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=10)
    assert following.returncode == 0


def test_services_get_a_thread_budget(running: FakeEnvironment) -> None:
    variables = running.ask("llm", "/variables")
    assert variables["OMP_WAIT_POLICY"] == "PASSIVE"
    assert variables["MALLOC_ARENA_MAX"] == "2"
