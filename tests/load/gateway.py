"""The gateway's cost: pass-through of a chat completion against a bare relay, nginx and LiteLLM.

Every server under test has one core, the upstream (nginx, a fixed answer) and wrk share the other.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.load.processes import CLIENT_CORE, SERVER_CORE, running
from tests.load.report import Row, at_least, bounded
from tests.load.wrk import Measured, post
from tests.support.serving import free_port
from tests.support.worlds import ai_semble, private_variables

HERE = Path(__file__).parent
CONNECTIONS = 32
REQUEST = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Say hello. " * 20}]})
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello. " * 60},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 60, "completion_tokens": 60, "total_tokens": 120},
    }
)

Server = Callable[[Path, int], AbstractContextManager[str]]


def measure(folder: Path, *, quick: bool) -> list[Row]:
    """Requests a second at 32 connections, and the added median latency at one."""
    seconds = 3 if quick else 10
    with nginx_upstream(folder) as port:
        direct = shoot(f"http://127.0.0.1:{port}/v1/chat/completions", 1, seconds, folder)
        found: dict[str, tuple[Measured, Measured]] = {}
        for name, server in SERVERS.items():
            with server(folder, port) as url:
                shoot(url, CONNECTIONS, 1, folder)  # warm
                found[name] = (shoot(url, 1, seconds, folder), shoot(url, CONNECTIONS, seconds, folder))
    return list(rows(direct, found))


def shoot(url: str, connections: int, seconds: int, folder: Path) -> Measured:
    """One run of wrk in which no request failed; a peer that stumbled gets one more."""
    for _ in range(2):
        measured = post(
            url, REQUEST, connections=connections, seconds=seconds, folder=folder, bearer="sk-load"
        )
        if not measured.errors:
            return measured
    raise RuntimeError(f"{measured.errors} requests to {url} failed, twice")


def rows(direct: Measured, found: dict[str, tuple[Measured, Measured]]) -> Iterator[Row]:
    single, many = found["Ai-semble"]
    yield bounded("gateway", "pass-through, 32 connections", many.rate, "requests/s", low=2500)
    added = (single.p50_s - direct.p50_s) * 1000
    yield bounded("gateway", "added latency p50, 1 connection", added, "ms", high=1.0)
    for name, (peer_single, peer_many) in found.items():
        if name != "Ai-semble":
            least = 25.0 if name == "LiteLLM" else None
            what = "pass-through, 32 connections"
            yield at_least("gateway", what, many.rate, "requests/s", name, peer_many.rate, least)
            what = "pass-through, 1 connection"
            yield at_least("gateway", what, single.rate, "requests/s", name, peer_single.rate, None)


@contextmanager
def nginx_upstream(folder: Path) -> Iterator[int]:
    """A server whose answer is fixed, so that only the relay is measured."""
    port = free_port()
    location = f"default_type application/json; return 200 '{ANSWER}';"
    with nginx(folder / "upstream", port, location, "", CLIENT_CORE):
        yield port


@contextmanager
def nginx(folder: Path, port: int, location: str, upstream: str, core: int) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "nginx.conf"
    file.write_text(
        f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  {upstream}
  server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }}
}}
""",
        encoding="utf-8",
    )
    command = ["nginx", "-c", str(file), "-p", str(folder), "-e", str(folder / "error.log")]
    with running(command, port, log=folder / "log", core=core, variables={}):
        yield


@contextmanager
def nginx_relay(folder: Path, upstream: int) -> Iterator[str]:
    port = free_port()
    pool = f"upstream u {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}"
    location = 'proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection "";'
    with nginx(folder / "relay", port, location, pool, SERVER_CORE):
        yield f"http://127.0.0.1:{port}/v1/chat/completions"


@contextmanager
def bare_relay(folder: Path, upstream: int) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "tests.load.bare_relay", str(port), f"http://127.0.0.1:{upstream}"]
    with running(command, port, log=folder / "bare.log", core=SERVER_CORE, variables={}):
        yield f"http://127.0.0.1:{port}/v1/chat/completions"


@contextmanager
def ours(folder: Path, upstream: int) -> Iterator[str]:
    """The orchestrator as it is shipped: ids, metrics, limits, guard and access log on."""
    port = free_port()
    ports = {"orchestrator": port, "llm": upstream}
    variables = private_variables(folder / "ours", folder, ports, "http://127.0.0.1:1")
    command = [ai_semble(), "serve", "orchestrator"]
    with running(command, port, log=folder / "ours.log", core=SERVER_CORE, variables=variables):
        yield f"http://127.0.0.1:{port}/v1/chat/completions"


@contextmanager
def litellm(folder: Path, upstream: int) -> Iterator[str]:
    """LiteLLM's proxy in an environment of its own, pinned with hashes, with one worker."""
    port, config = free_port(), folder / "litellm.json"
    model = {
        "model_name": "m",
        "litellm_params": {
            "model": "openai/m",
            "api_base": f"http://127.0.0.1:{upstream}/v1",
            "api_key": "sk-load",
        },
    }
    config.write_text(json.dumps({"model_list": [model]}), encoding="utf-8")
    command = [str(litellm_environment() / "bin" / "litellm"), "--config", str(config)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    variables = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MASTER_KEY": "sk-load",
    }
    with running(command, port, log=folder / "litellm.log", core=SERVER_CORE, variables=variables):
        yield f"http://127.0.0.1:{port}/v1/chat/completions"


def litellm_environment() -> Path:
    """A virtual environment beside this file, made at the first use."""
    folder = HERE / ".venv-litellm"
    if not (folder / "bin" / "litellm").exists():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--clear", str(folder)], check=True)
        install = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--python",
            str(folder / "bin/python"),
        ]
        subprocess.run([*install, "-r", str(HERE / "requirements-litellm.txt")], check=True)
    return folder


SERVERS: dict[str, Server] = {
    "Ai-semble": ours,
    "bare aiohttp relay": bare_relay,
    "nginx": nginx_relay,
    "LiteLLM": litellm,
}
