"""The host, Podman or somebody's hand does its worst: all is well again by itself, and nothing is lost.

Killed and hung services are the integration suite's, which runs on the pod of this host, too.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from ai_semble.config import ResourcesConfig
from ai_semble.topology import SERVICES
from tests.hosts.environment import Installed
from tests.machine.belongings import DATASET, JOB, Belongings, eventually, is_well, leave, long_jobs
from tests.machine.volumes import Volume
from tests.support.attacks import attack

INTERRUPTED_WITHIN_S = 120
# Three health checks, 15 s apart, each of which may take 10 s.
FOUND_TO_HANG_WITHIN_S = 180
MIB = 1024**2
PROCESS_OF_NLP = "podman inspect --format '{{.State.Pid}}' ai-semble-nlp"


@pytest.fixture
def belongings(running: Installed) -> Iterator[Belongings]:
    made = leave(running)
    yield made
    made.assert_kept()


def ids(running: Installed) -> dict[str, str]:
    """The containers that run, by name."""
    lines = running.host.run("podman ps --no-trunc --format '{{.Names}} {{.ID}}'").stdout.splitlines()
    return {name: number for name, number in map(str.split, lines) if name.startswith("ai-semble-")}


def test_a_removed_container_is_made_again(
    running: Installed, api: httpx.Client, belongings: Belongings
) -> None:
    before = ids(running)
    belongings.must_finish(long_jobs(api, 2))
    running.host.run("podman rm --force --time 0 ai-semble-llm")
    eventually(lambda: is_well(running, api), "the language model is back")
    after = ids(running)
    assert after["ai-semble-llm"] != before["ai-semble-llm"]
    if (
        running.host.recipe.backend == "quadlet"
    ):  # under Podman 4 the pod is one unit, and made anew as a whole
        others = {f"ai-semble-{name}" for name in SERVICES} - {"ai-semble-llm"}
        assert {after[name] for name in others} == {before[name] for name in others}


def test_a_removed_pod_is_made_again(running: Installed, api: httpx.Client, belongings: Belongings) -> None:
    before = ids(running)
    belongings.must_finish(long_jobs(api, 3))
    running.host.run("podman pod rm --force --time 2 ai-semble")
    eventually(lambda: is_well(running, api), "the pod is back")
    assert not set(before.values()) & set(ids(running).values())


def test_a_stop_keeps_jobs_and_two_starts_at_once_are_one(
    running: Installed, api: httpx.Client, belongings: Belongings
) -> None:
    belongings.must_finish(long_jobs(api, 4))
    began = time.monotonic()
    running.deploy("stop")
    assert time.monotonic() - began < 45, "within the grace period"
    assert not ids(running)
    start = "./scripts/deploy.sh start"
    shown = running.script(
        f"{{ {start} >/tmp/first 2>&1 & {start} >/tmp/second 2>&1; second=$?; wait $!; echo $? $second; }};"
        " cat /tmp/first /tmp/second"
    ).stdout
    assert shown.splitlines()[0] == "0 0", shown
    assert "waiting for it" in shown
    assert len(ids(running)) >= len(SERVICES)


def test_a_reboot_brings_everything_back_without_a_login(
    running: Installed, api: httpx.Client, belongings: Belongings
) -> None:
    belongings.must_finish(long_jobs(api, 4))
    running.host.reboot()


@pytest.fixture
def small_volumes(running: Installed) -> Iterator[dict[str, Volume]]:
    """The volumes of data and jobs on disks with little room left, of which nothing is set aside."""
    if running.host.recipe.backend != "quadlet":
        pytest.skip(
            "what a service does about a full disk is the same under every Podman; run --host=debian13"
        )
    volumes = {name: Volume(running.host, f"ai-semble-{name}") for name in ("data", "state")}
    running.deploy("stop")
    for volume in volumes.values():
        volume.shrink()
    running.configure("resources", "keep_free_disk", "0")
    running.deploy("start")
    yield volumes
    running.deploy("stop")
    for volume in volumes.values():
        volume.restore()
    running.configure("resources", "keep_free_disk", str(ResourcesConfig().keep_free_disk))
    running.deploy("start")


def problem_of(answer: httpx.Response) -> str:
    """The code of a problem that says what to do."""
    problem = answer.json()
    assert problem["hint"], problem
    return f"{answer.status_code} {problem['code']}"


@attack(
    threat="Datasets and jobs meet a disk without room",
    control="507 with what to do; nothing that was accepted is lost, and what needs no disk goes on",
    file="containers/base/src/ai_semble/room.py",
)
@pytest.mark.thorough
def test_full_volumes_are_said_and_nothing_is_lost(
    running: Installed, belongings: Belongings, small_volumes: dict[str, Volume], api: httpx.Client
) -> None:
    rows = "n\n" + "123456789\n" * (2 * small_volumes["data"].room // 10)
    answer = api.put("/data/datasets/large", content=rows, headers={"Content-Type": "text/csv"})
    assert problem_of(answer) == "507 insufficient_storage"
    assert api.get("/data/datasets/large").status_code == 404

    for volume in small_volumes.values():
        volume.fill()
    sentence = {"text": "One more.", "task": "language"}
    answer = api.post("/ai/nlp/process", json={**sentence, "text": "One more. " * 4000}, headers=JOB)
    assert problem_of(answer) == "507 insufficient_storage"
    assert api.post("/ai/nlp/process", json=sentence).status_code == 200, "what needs no disk goes on"
    assert api.get(f"{DATASET}/content").status_code == 200
    assert api.get(f"/jobs/{belongings.job}/result").json() == belongings.result

    for service in ("orchestrator", "data-processor"):
        kill(running, service)
    for volume in small_volumes.values():
        volume.grow()
    eventually(lambda: is_well(running, api), "well again when there is room")
    assert api.put("/data/datasets/large", content=rows, headers={"Content-Type": "text/csv"}).is_success
    belongings.must_finish([api.post("/ai/nlp/process", json=sentence, headers=JOB).json()["id"]])


def kill(running: Installed, service: str, number: signal.Signals = signal.SIGKILL) -> None:
    """Its first process, from outside: Podman knows nothing of it."""
    inspect = f"podman inspect --format '{{{{.State.Pid}}}}' ai-semble-{service}"
    running.host.run(f"podman unshare kill -{number.value} $({inspect})")


def test_what_is_left_half_stopped_is_ended_and_started(running: Installed, api: httpx.Client) -> None:
    if running.host.recipe.backend != "kube":
        pytest.skip("only Podman 4 restarts in a health check that ends before it; run --host=debian12")
    eventually(lambda: is_well(running, api), "all is well before")
    before = running.host.run(PROCESS_OF_NLP).stdout
    kill(running, "nlp", signal.SIGSTOP)
    # Whoever stops it is gone before its patience is at an end.
    running.host.run("timeout --signal=KILL 3 podman stop --time 60 ai-semble-nlp", check=False)
    eventually(
        lambda: running.host.run(PROCESS_OF_NLP).stdout != before and is_well(running, api),
        "it is another process",
        FOUND_TO_HANG_WITHIN_S,
    )


def is_up(running: Installed) -> bool:
    """Whether systemd takes all of it to be healthy."""
    return running.host.run("systemctl --user is-active ai-semble.target", check=False).returncode == 0


def came_down(running: Installed) -> str:
    """When the target was left last."""
    show = "systemctl --user show --property InactiveEnterTimestampMonotonic ai-semble.target"
    return running.host.run(show).stdout


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.thorough)])
def test_the_target_is_down_from_a_death_until_all_are_healthy_again(
    running: Installed, api: httpx.Client, how: signal.Signals
) -> None:
    eventually(lambda: is_well(running, api), "all is well before")
    before, last = ids(running), came_down(running)
    kill(running, "llm", how)
    eventually(lambda: came_down(running) != last, "the target is let go", FOUND_TO_HANG_WITHIN_S)
    eventually(lambda: is_up(running), "the target is back")
    assert api.get("/health").json()["status"] == "ready", "as soon as the target is up"
    others = {f"ai-semble-{name}" for name in SERVICES} - {"ai-semble-llm"}
    assert {name: ids(running)[name] for name in others} == {name: before[name] for name in others}


@pytest.mark.parametrize("again", ["./scripts/deploy.sh start", "systemctl --user start ai-semble-llm"])
def test_a_service_that_is_stopped_by_hand_stays_so_and_is_the_only_one(
    running: Installed, api: httpx.Client, again: str
) -> None:
    if running.host.recipe.backend != "quadlet":
        pytest.skip("under Podman 4 the services have no units of their own; run --host=debian13")
    eventually(lambda: is_well(running, api), "all is well before")
    before = ids(running)
    running.host.run("systemctl --user stop ai-semble-llm")
    eventually(lambda: not is_up(running), "the target is let go")
    kill(running, "nlp")
    old = {None, before["ai-semble-nlp"]}
    eventually(
        lambda: ids(running).get("ai-semble-nlp") not in old and is_ready(api, "nlp"), "another one heals"
    )
    unit = "systemctl --user show --value --property ActiveState ai-semble-nlp"
    eventually(lambda: running.host.run(unit).stdout.strip() == "active", "systemd knows it")

    left = {name: number for name, number in before.items() if name != "ai-semble-llm"}
    assert set(ids(running)) == set(left)
    assert {name for name in left if ids(running)[name] != left[name]} == {"ai-semble-nlp"}
    assert not is_up(running)
    shown = running.deploy("status", check=False)
    assert shown.returncode == 1
    assert "llm: It is stopped." in shown.stdout
    assert "what to do: ./scripts/deploy.sh start" in shown.stdout

    after = ids(running)
    running.script(again)
    eventually(lambda: is_well(running, api), "all is well again")
    assert ids(running).items() > after.items()


def is_ready(api: httpx.Client, service: str) -> bool:
    return bool(api.get("/health").json()["services"][service]["state"] == "ready")


def test_the_target_stops_all_and_its_start_waits_until_all_are_healthy(
    running: Installed, api: httpx.Client
) -> None:
    eventually(lambda: is_well(running, api), "all is well before")
    running.host.run("systemctl --user stop ai-semble.target")
    eventually(lambda: not ids(running), "all are stopped")
    running.host.run("systemctl --user start ai-semble.target", timeout=300)
    assert api.get("/health").json()["status"] == "ready", "as soon as the start has returned"
    assert is_up(running)


def test_a_start_that_fails_first_ends_well(running: Installed, api: httpx.Client) -> None:
    unit = "ai-semble-nlp" if running.host.recipe.backend == "quadlet" else "ai-semble-pod"
    failures = f"systemctl --user show --value --property NRestarts {unit}"
    name = "localhost/ai-semble/nlp:latest"
    image = running.host.run(f"podman image inspect --format '{{{{.Id}}}}' {name}").stdout.strip()
    running.deploy("stop")
    running.host.run(f"podman untag {image} {name}")
    try:
        running.host.run("systemctl --user start --no-block ai-semble.target")
        eventually(lambda: int(running.host.run(failures).stdout) > 0, "it has failed once")
        assert not is_up(running)
    finally:
        running.host.run(f"podman tag {image} {name}")
    eventually(lambda: is_well(running, api), "all is well by itself")
    running.deploy("start")


@contextmanager
def changed_source(running: Installed) -> Iterator[None]:
    """A source file that makes one image old."""
    file = "containers/data-processor/src/data_processor/app.py"
    running.script(f"cp {file} /tmp/kept && echo '# changed' >>{file}")
    try:
        yield
    finally:
        running.script(f"cp /tmp/kept {file}")


def killed_when(running: Installed, sign: str) -> str:
    """Start `setup.sh`, kill it with all its processes as soon as a line of shell is true, and say what it said."""
    running.script(
        "setsid --fork sh -c 'echo $$ >setup.pid; exec ./scripts/setup.sh' >setup.log 2>&1 </dev/null"
    )
    shown = running.script(
        f"for i in $(seq {INTERRUPTED_WITHIN_S * 10}); do ({sign}) && break; sleep 0.1; done;"
        " kill -KILL -- -$(cat setup.pid); status=$?; cat setup.log; exit $status",
        timeout=INTERRUPTED_WITHIN_S + 30,
    ).stdout
    assert "Ready." not in shown
    return shown


@pytest.mark.thorough
def test_an_interrupted_setup_goes_on_where_it_stopped(
    running: Installed, api: httpx.Client, belongings: Belongings
) -> None:
    with changed_source(running):
        shown = killed_when(running, "grep -q 'data-processor:latest' setup.log && pgrep -f 'pip install'")
        assert "== models" not in shown
        running.deploy("models", "remove", "lid-176", "en-core-web-sm")
        shown = killed_when(running, "grep -q '== models' setup.log && pgrep -f 'ai-semble models pull'")
        assert "== settings" not in shown
        assert is_well(running, api), "what runs goes on"
        assert "Ready." in running.script("./scripts/setup.sh 2>&1", timeout=600).stdout
    # The image of the source as it is, for the tests that follow.
    running.script("./scripts/setup.sh", timeout=600)
    running.deploy("restart")
