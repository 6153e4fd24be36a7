"""The process of llama.cpp: loading, dying, hanging, and what callers are told meanwhile."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from ai_services.llm.engines.llama.order import Loaded, Settings
from ai_services.llm.engines.llama.wire import Frame, Kind, Splitter
from tests.unit.llm.conftest import CONTEXT, HOST, MODEL, Service, eventually, hosts, running

LONG = {"prompt": "One", "raw": True, "max_tokens": 480}


@contextmanager
def with_host(models_dir: str, **llm: Any) -> Iterator[tuple[Service, Callable[[], psutil.Process]]]:
    """A service of its own, and a function that finds its present llama.cpp process."""
    others = hosts()
    with running(models_dir, **llm) as service:

        def present() -> psutil.Process:
            (host,) = hosts() - others
            return host

        yield service, present
    eventually(lambda: hosts() <= others, "no process is left behind")


def install(models: Path, weights: bytes) -> Path:
    """A model folder with these bytes as the model's file."""
    folder = models / MODEL
    folder.mkdir(parents=True)
    (folder / "model.gguf").write_bytes(weights)
    entry = {"sha256": hashlib.sha256(weights).hexdigest(), "size": len(weights)}
    manifest = {
        "name": MODEL,
        "task": "chat",
        "fetched": "2026-01-01T00:00:00Z",
        "files": {"model.gguf": entry},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return models


def state(service: Service) -> str:
    found: str = service.client.get("/health").json()["state"]
    return found


def test_the_engine_comes_back_after_its_process_was_killed(models_dir: str) -> None:
    with with_host(models_dir) as (service, host), ThreadPoolExecutor() as pool:
        first = host()
        answer = pool.submit(service.ask, **LONG)
        stream = pool.submit(service.ask, **LONG, stream=True)
        eventually(lambda: service.metric("ai_semble_llm_slots_busy") == 2, "both are being answered")
        first.kill()
        problem = answer.result().json()
        assert (problem["status"], problem["code"]) == (503, "engine_failed")
        assert "SIGKILL" in problem["detail"]
        assert "engine_failed" in stream.result().text
        eventually(lambda: state(service) == "failed", "health says so")
        eventually(service.is_ready, "the model is loaded again")
        assert host().pid != first.pid
        assert service.text(prompt="Hi", max_tokens=2)


def test_an_engine_that_hangs_is_started_again(models_dir: str) -> None:
    with with_host(models_dir, time_limit_s=0.5, cancel_limit_s=0.5) as (service, host):
        hanging = host()
        hanging.send_signal(signal.SIGSTOP)
        service.problem(504, "deadline_exceeded", prompt="Hi")
        eventually(lambda: not hanging.is_running() or state(service) == "failed", "it was killed")
        eventually(service.is_ready, "the model is loaded again")


def test_the_engine_listens_nowhere(service: Service) -> None:
    (host,) = hosts()
    assert host.net_connections(kind="inet") == []
    named = [each.laddr for each in host.net_connections(kind="unix") if each.laddr]
    for path in named:
        with pytest.raises(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(path)


def test_the_engine_ends_with_the_service_but_not_by_a_signal_meant_for_the_service(models_dir: str) -> None:
    with with_host(models_dir) as (service, host):
        host().send_signal(signal.SIGTERM)
        host().send_signal(signal.SIGINT)
        assert service.text(prompt="Hi", max_tokens=2)


def test_the_engine_ends_when_the_service_is_gone_without_a_word(models_dir: str) -> None:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", HOST, str(theirs.fileno())]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE) as host:
        theirs.close()
        path = str(Path(models_dir) / MODEL / "model.gguf")
        settings = Settings(path, MODEL, CONTEXT, 1, threads=1, batch=64, cache_type="f16", gpu_layers=0)
        ours.sendall(Frame(Kind.LOAD, 0, settings.packed()).packed())
        (ready,) = Splitter().feed(ours.recv(65536))
        assert ready.kind is Kind.READY
        assert Loaded.unpacked(ready.payload).devices == ("cpu",)
        ours.close()
        assert host.wait(20) == 0


def test_a_model_loaded_at_first_use_costs_nothing_before(models_dir: str) -> None:
    with with_host(models_dir, load="first_use") as (service, host):
        (model,) = service.client.get("/health").json()["models"]
        assert (state(service), model["state"], model["memory_bytes"]) == ("ready", "installed", None)
        with pytest.raises(ValueError, match="not enough values"):
            host()
        assert service.text(prompt="Hi", max_tokens=2)
        assert host().is_running()


def test_while_the_model_loads_callers_are_told_to_wait(models_dir: str) -> None:
    with running(models_dir, ready=False) as service:
        answer = service.ask(prompt="Hi", max_tokens=2)
        if answer.status_code != 200:  # a fast machine may have loaded it by now
            assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
            assert int(answer.headers["Retry-After"]) >= 1
        eventually(service.is_ready, "the model is loaded")


def test_a_model_that_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    with running(tmp_path, ready=False) as service:
        eventually(lambda: state(service) == "failed", "health says so")
        problem = service.problem(503, "model_not_installed", prompt="Hi")
        assert f"./scripts/deploy.sh models pull {MODEL}" in problem["hint"]
        (model,) = service.client.get("/health").json()["models"]
        assert model["state"] == "not_installed"


def test_a_file_that_is_no_model_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    with running(install(tmp_path, b"GGUF but not really"), ready=False) as service:
        eventually(lambda: state(service) == "failed", "health says so")
        problem = service.problem(503, "engine_failed", prompt="Hi")
        assert "init server" in problem["detail"]
