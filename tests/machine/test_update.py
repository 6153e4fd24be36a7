"""Updates: good images are switched to, sick ones are found out and put back, and nothing is lost on the way."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ai_semble.topology import SERVICES
from tests.hosts.environment import Installed, reachable
from tests.hosts.host import Host

IMAGES = ("base", *SERVICES)
UPDATED_WITHIN_S = 900
JOURNAL = ".local/state/ai-semble/default/update"
WRONG = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b'{"text": "Hello!"}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
HTTPServer(("127.0.0.1", 8081), Handler).serve_forever()
"""


def make_version(host: Host, name: str, **lines: str) -> str:
    """Images of a made-up version: these services with another line in their Containerfile, the others as they are."""
    for image in IMAGES:
        service = image.replace("-", "_")
        latest, own = f"localhost/ai-semble/{image}:latest", f"localhost/{name}/{image}:latest"
        if service in lines:
            build = shlex.join(["podman", "build", "--quiet", "--tag", own, "-"])
            host.run(build, input=f"FROM {latest}\n{lines[service]}\n", timeout=300)
        else:
            host.run(shlex.join(["podman", "tag", latest, own]))
    return f"localhost/{name}"


def ids(host: Host) -> dict[str, str]:
    """The image that each container runs."""
    names = " ".join(f"ai-semble-{name}" for name in SERVICES)
    told = host.run(f"podman container inspect --format '{{{{.Name}}}} {{{{.Image}}}}' {names}").stdout
    return {name.removeprefix("/ai-semble-").removeprefix("ai-semble-"): image for name, image in pairs(told)}


def pids(host: Host) -> dict[str, str]:
    """The process that each container runs."""
    names = " ".join(f"ai-semble-{name}" for name in SERVICES)
    told = host.run(f"podman container inspect --format '{{{{.Name}}}} {{{{.State.Pid}}}}' {names}").stdout
    return {name.removeprefix("/ai-semble-").removeprefix("ai-semble-"): pid for name, pid in pairs(told)}


def pairs(text: str) -> list[tuple[str, str]]:
    return [(words[0], words[1]) for words in map(str.split, text.splitlines())]


def update(running: Installed, *options: str, status: int = 0) -> str:
    """What an update prints, on both streams."""
    done = running.deploy("update", *options, check=False, timeout=UPDATED_WITHIN_S)
    told = done.stdout + done.stderr
    assert done.returncode == status, told
    return told


def is_well(running: Installed) -> bool:
    return running.deploy("status", check=False).returncode == 0


@pytest.fixture
def before(running: Installed) -> Iterator[dict[str, str]]:
    """The images that run; they run again at the end, and nothing of an update is left."""
    images = ids(running.host)
    yield images
    if ids(running.host) != images:
        update(running, "--rollback")
    assert ids(running.host) == images
    assert is_well(running)
    assert not running.host.run(f"ls {JOURNAL}", check=False).stdout


def test_the_checkout_that_runs_is_up_to_date(running: Installed, before: dict[str, str]) -> None:
    untouched = pids(running.host)
    assert "Already up to date" in update(running)
    assert pids(running.host) == untouched


def test_a_good_version_is_switched_to_back_and_forward(running: Installed, before: dict[str, str]) -> None:
    version = make_version(running.host, "good", nlp='LABEL version="2.1"', llm='LABEL version="2.1"')
    processes = pids(running.host)
    told = update(running, "--from", version)
    after = ids(running.host)
    changed = {name for name in SERVICES if after[name] != before[name]}
    assert changed == {"nlp", "llm"}
    for name in changed:
        assert re.search(rf"^{name} +{before[name][:12]} -> {after[name][:12]}$", told, re.MULTILINE), told
    shown = json.loads(running.deploy("status", "--json").stdout)["services"]
    assert {name: seen["image"] for name, seen in shown.items()} == {name: after[name][:12] for name in after}
    if running.host.recipe.backend == "quadlet":
        stayed = {name for name, pid in pids(running.host).items() if pid == processes[name]}
        assert stayed == SERVICES.keys() - changed
    assert is_well(running)
    update(running, "--rollback")
    assert ids(running.host) == before
    update(running, "--rollback")
    assert ids(running.host) == after


SICK = {
    "crashes": (
        'CMD ["bash", "-c", "echo the engine is missing; exit 3"]',
        r"llm.* ended \d+ times within",
        "300",
    ),
    "is never healthy": ('CMD ["sleep", "infinity"]', "llm.* was not healthy after 40 s", "40"),
    "answers wrongly": (
        f'CMD ["python", "-c", "exec(bytes.fromhex({WRONG.encode().hex()!r}))"]',
        "llm does not answer well: its answer has not the form of one",
        "300",
    ),
}


@pytest.mark.parametrize(
    "illness",
    [name if name == "crashes" else pytest.param(name, marks=pytest.mark.thorough) for name in SICK],
)
def test_a_sick_version_is_put_back_with_all_its_sisters(
    running: Installed, before: dict[str, str], illness: str
) -> None:
    """nlp and data-processor are new and well, and are switched before llm; they are put back, too."""
    line, reason, limit = SICK[illness]
    version = make_version(
        running.host,
        "sick",
        llm=line,
        nlp='LABEL version="2.1"',
        data_processor='LABEL version="2.1"',
    )
    told = update(running, "--from", version, "--timeout", limit, status=1)
    assert re.search(f"error: the update failed: {reason}", told), told
    assert "hint:" in told
    if illness == "crashes":
        assert "the engine is missing" in told
    assert ids(running.host) == before
    assert is_well(running)


@pytest.mark.thorough
@pytest.mark.parametrize("verb", ["start", "update"])
def test_what_a_killed_update_left_is_put_back(running: Installed, before: dict[str, str], verb: str) -> None:
    version = make_version(running.host, "killed", nlp='LABEL version="2.1"', llm='CMD ["sleep", "infinity"]')
    host = running.host
    begin_update(host, version)
    wait_for(host, f"grep -q '^llm .* switching$' {JOURNAL}")
    host.run("kill -9 -- -$(cat ai-semble/update.pid)")
    status = running.deploy("status", check=False)
    assert "An update was interrupted; ./scripts/deploy.sh start puts back" in status.stderr
    if verb == "start":
        done = running.deploy("start")
        told = done.stdout + done.stderr
    else:
        host.run(f"podman tag {before['llm']} {version}/llm:latest")
        host.run(f"podman tag {before['nlp']} {version}/nlp:latest")
        told = update(running, "--from", version)
        assert "Already up to date" in told
    assert "An update was interrupted while " in told
    assert "All services have the images from before the update" in told
    assert ids(host) == before


@pytest.mark.thorough
def test_a_reboot_in_the_middle_is_put_back(running: Installed, before: dict[str, str]) -> None:
    version = make_version(running.host, "rebooted", nlp='CMD ["sleep", "infinity"]')
    host = running.host
    begin_update(host, version)
    wait_for(host, f"grep -q '^nlp .* switching$' {JOURNAL}")
    host.reboot()
    done = running.deploy("start", timeout=UPDATED_WITHIN_S)
    assert "All services have the images from before the update" in done.stderr
    assert ids(host) == before


@pytest.mark.thorough
def test_jobs_that_wait_and_run_during_an_update_end_well(running: Installed, before: dict[str, str]) -> None:
    version = make_version(
        running.host, "jobs", llm='LABEL version="2.1"', orchestrator='LABEL version="2.1"'
    )
    body = {"prompt": "Tell a long story about a lighthouse.", "max_tokens": 200}
    with reachable(running.host) as url, httpx.Client(base_url=url, timeout=60) as api:
        jobs = [
            api.post("/ai/llm/completion", json=body, headers={"Prefer": "respond-async"}).headers["location"]
            for _ in range(12)
        ]
        update(running, "--from", version)
        ended = [job_at_its_end(api, job) for job in jobs]
    assert [job["state"] for job in ended] == ["succeeded"] * len(jobs), json.dumps(ended)


@pytest.mark.thorough
def test_nothing_to_go_back_to_is_said_and_nothing_is_changed(
    running: Installed, before: dict[str, str]
) -> None:
    running.host.run("podman tag localhost/ai-semble/nlp:latest localhost/kept/nlp:previous")
    running.host.run(
        "podman untag localhost/ai-semble/nlp:previous localhost/ai-semble/nlp:previous", check=False
    )
    told = update(running, "--rollback", status=1)
    assert "there is nothing to go back to" in told
    told = update(running, "--from", "localhost/nowhere:9", status=1)
    assert "there is no image localhost/nowhere/base:9; nothing was changed" in told
    assert ids(running.host) == before


def begin_update(host: Host, version: str) -> None:
    """In the background, in a process group of its own whose number is in ~/ai-semble/update.pid."""
    line = f"echo $$ >update.pid; exec ./scripts/deploy.sh update --from {version} >update.log 2>&1"
    host.run(f"cd ai-semble && {{ setsid bash -c {shlex.quote(line)} >/dev/null 2>&1 </dev/null & }}")


def job_at_its_end(api: httpx.Client, path: str, deadline_s: float = 600) -> dict[str, Any]:
    deadline = time.monotonic() + deadline_s
    while True:
        job: dict[str, Any] = api.get(path, params={"wait_s": 30}).raise_for_status().json()
        if job["state"] in ("succeeded", "failed", "cancelled"):
            return job
        assert time.monotonic() < deadline, job


def wait_for(host: Host, condition: str, deadline_s: float = 300) -> None:
    deadline = time.monotonic() + deadline_s
    while host.run(condition, check=False).returncode != 0:
        assert time.monotonic() < deadline, f"not in time: {condition}"
        time.sleep(0.2)
