"""A second environment beside the default one: made, used, restarted, deleted, and the other never notices."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.hosts.environment import PORT, Installed
from tests.machine.belongings import eventually
from tests.machine.second import DEFAULT, NAME, PREFIX, Second, address_of, processes, second_environment

MANY = 18


@pytest.fixture(scope="module")
def second(running: Installed) -> Iterator[Second]:
    with second_environment(running) as made:
        yield made


def test_both_answer_and_neither_has_what_the_other_keeps(second: Second) -> None:
    for port in (PORT, second.port):
        assert second.get("/health", port)["status"] == "ready"
    second.on.script(
        "curl --fail --silent --data-binary $'n\\n1\\n' --header 'Content-Type: text/csv' --request PUT"
        f" 'http://127.0.0.1:{second.port}/data/datasets/of-lab'"
    )
    assert "of-lab" in str(second.get("/data/datasets"))
    assert "of-lab" not in str(second.get("/data/datasets", PORT))
    key = second.key("alice")
    assert second.status(key) == 200
    assert second.status(key, PORT) == 401, "a key of one opens nothing of another"


def test_its_images_and_its_user_of_the_host_are_its_own(second: Second) -> None:
    names = "{{.ImageName}}"
    image = second.on.host.run(f"podman inspect --format '{names}' {PREFIX}-llm").stdout.strip()
    assert image == f"localhost/{PREFIX}/llm:latest"
    users = [
        second.on.host.run(
            f"podman unshare stat --format %u /proc/{processes(second.on, prefix)[f'{prefix}-llm']}"
        )
        for prefix in (DEFAULT, PREFIX)
    ]
    first, own = (done.stdout.strip() for done in users)
    # Podman 4 cannot give a pod a user namespace of its own.
    assert (own != first) is (second.on.host.recipe.backend == "quadlet")


@pytest.mark.parametrize(("source", "target"), [(PREFIX, DEFAULT), (DEFAULT, PREFIX)], ids=["out", "in"])
def test_no_packet_goes_from_one_to_the_other(second: Second, source: str, target: str) -> None:
    def connect(prefix: str) -> str:
        address = address_of(second.on, prefix)
        look = f"import socket; socket.create_connection(('{address}', 8080), 3); print('connected')"
        return second.inside("orchestrator", look, prefix=source)

    assert "connected" in connect(source), "the address is one at which it listens"
    assert "connected" not in connect(target)


def test_the_list_shows_both_with_what_they_use_and_stays_quick_with_many(second: Second) -> None:
    folder = "~/.config/ai-semble"
    definitions = f"for n in $(seq {MANY}); do cp -r {folder}-{NAME} {folder}-many$n; done"
    second.on.host.run(definitions)
    try:
        took = []
        for _ in range(3):
            began = time.monotonic()
            told = second.on.script("./scripts/deploy.sh list --json").stdout
            took.append(time.monotonic() - began)
    finally:
        second.on.host.run(f"rm -r {folder}-many*")
    assert min(took) < 1.5, "a second, and the login"
    listed = {one["name"]: one for one in json.loads(told)}
    assert len(listed) == MANY + 2
    for name, port in (("default", PORT), (NAME, second.port)):
        one = listed[name]
        assert (one["state"], one["port"], one["services"]) == ("running", port, 5)
        assert one["memory_bytes"] > 100_000_000
        assert one["disk_bytes"] > 0
        assert one["cpus"] is not None
    assert (listed[NAME]["memory_limit"], listed[NAME]["cpus_limit"], listed[NAME]["owner"]) == (
        "6g",
        2,
        "ai",
    )
    assert listed["many1"]["state"] == "not set up"


def test_what_is_done_to_one_touches_no_process_of_the_other(second: Second) -> None:
    before = processes(second.on, PREFIX)
    second.deploy("restart")
    assert "all services are ready" in second.deploy("status")
    after = processes(second.on, PREFIX)
    assert set(before) == set(after)
    assert all(before[name] != after[name] for name in before)
    assert processes(second.on, DEFAULT) == second.default


def test_its_journal_has_its_own_lines_alone(second: Second) -> None:
    def ask(port: int) -> str:
        answer = second.on.host.run(f"curl --silent --include http://127.0.0.1:{port}/v1/models").stdout
        return next(
            line.split()[1] for line in answer.splitlines() if line.lower().startswith("x-request-id:")
        )

    def journal(prefix: str) -> str:
        return second.on.host.run(
            f"journalctl --user -u {prefix}.pod --lines 500 --output cat --no-pager"
        ).stdout

    own, other = ask(second.port), ask(PORT)
    eventually(lambda: own in journal(PREFIX) and other in journal(DEFAULT), "both have their own", 20)
    assert other not in journal(PREFIX)
    assert own not in journal(DEFAULT)


def test_one_whose_creation_is_killed_is_finished_by_the_next(second: Second) -> None:
    on = second.on
    on.script("(exec setsid ./scripts/deploy.sh env create killed >/dev/null 2>&1) & echo $! >/tmp/creating")
    eventually(
        lambda: (
            on.host.run("test -e ~/.config/ai-semble-killed/environment.conf", check=False).returncode == 0
        ),
        "begun",
    )
    on.host.run("kill -KILL -- -$(cat /tmp/creating) $(cat /tmp/creating)", check=False)
    assert "env create killed" in on.deploy("start", "--env", "killed", check=False).stderr
    assert "Made the environment killed" in on.deploy("env", "create", "killed").stderr
    on.deploy("env", "delete", "killed", "--yes")


def test_deleted_nothing_of_it_is_left_and_the_other_runs_on(second: Second) -> None:
    on = second.on
    refused = on.deploy("env", "delete", NAME, check=False)
    assert refused.returncode == 1
    assert "Lost for good: its datasets and jobs" in refused.stderr
    on.deploy("env", "delete", NAME, "--yes")
    left = on.host.run(
        "podman pod ls; podman ps --all; podman network ls; podman secret ls; podman volume ls; podman images;"
        " systemctl --user list-units --all --plain; ls ~/.config ~/.config/containers/* ~/.config/systemd/user"
    ).stdout
    assert PREFIX not in left
    assert "killed" not in left
    assert processes(on, DEFAULT) == second.default
    assert second.get("/health", PORT)["status"] == "ready"
