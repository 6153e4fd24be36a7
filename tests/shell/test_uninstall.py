"""deploy.sh uninstall takes away what is there, be it a whole environment or what an interrupted setup left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shell.conftest import Shell

# What there is, is a file KIND/NAME in the folder of the same name; `image NAME` may hold slashes.
PODMAN = """#!/bin/sh
store={store}
case "$1 $2" in
  version*) echo 5.4.2 ;;
  images*) for one in "$store"/image/*; do [ -e "$one" ] && basename "$one" | tr % /; done; true ;;
  *exists | *inspect) [ -e "$store/$1/$3" ] ;;
  *rm) kind=$1; for name; do :; done; rm "$store/$kind/$(echo "$name" | tr / %)" ;;
esac
"""
# Like systemd itself: units that it has not loaded cannot be stopped.
SYSTEMCTL = """#!/bin/sh
[ "$1" = --user ] && shift
echo "$*" >>{store}/systemctl
case "$1" in
  list-units) cat {store}/loaded ;;
  stop) shift; for unit; do grep -q "^$unit " {store}/loaded || exit 5; done ;;
  is-active) exit 3 ;;
esac
"""


class Host:
    """A host on which Podman and systemd have what a test puts there."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.store = shell.folder / "store"
        for kind in ("pod", "network", "secret", "volume", "image"):
            (self.store / kind).mkdir(parents=True)
        (self.store / "loaded").touch()
        shell.stub("podman", PODMAN.format(store=self.store))
        shell.stub("systemctl", SYSTEMCTL.format(store=self.store))

    def have(self, kind: str, *names: str) -> None:
        for name in names:
            (self.store / kind / name.replace("/", "%")).touch()

    def have_units(self, *names: str) -> None:
        for name in names:
            where = (
                "systemd/user" if name.endswith((".target", ".service")) else "containers/systemd/ai-semble"
            )
            path = self.shell.folder / ".config" / where / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def left(self) -> set[str]:
        files = [path for path in (*self.store.glob("*/*"), *self._config()) if path.is_file()]
        return {path.name.replace("%", "/") for path in files}

    def _config(self) -> list[Path]:
        return list((self.shell.folder / ".config").rglob("ai-semble*"))


@pytest.fixture
def host(shell: Shell) -> Host:
    return Host(shell)


IMAGES = ("localhost/ai-semble/base:latest", "localhost/ai-semble/llm:latest")
VOLUMES = ("ai-semble-data", "ai-semble-models")


def test_units_that_systemd_has_never_loaded_do_not_keep_it_from_going_on(host: Host) -> None:
    """setup.sh was ended between its last unit and systemd's reload."""
    host.have_units("ai-semble.pod", "ai-semble-llm.container", "ai-semble.target", "ai-semble.pod.service")
    host.have("secret", "ai-semble-token")
    host.have("image", *IMAGES, "docker.io/library/debian:trixie-slim")
    host.have("volume", *VOLUMES, "another")
    answer = host.shell.run("deploy.sh", "uninstall", "--yes")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.splitlines()[:2] == [
        "Removed 4 units, the secret ai-semble-token, 2 images",
        f"Kept the volumes {' '.join(VOLUMES)}; away with them, too: podman volume rm {' '.join(VOLUMES)}",
    ]
    assert host.left() == {*VOLUMES, "another", "docker.io/library/debian:trixie-slim"}


def test_what_systemd_has_loaded_is_stopped(host: Host) -> None:
    host.have_units("ai-semble.pod", "ai-semble.target")
    known = ["ai-semble.target loaded active active", "ai-semble-pod.service not-found active running"]
    unknown = "ai-semble-llm.service not-found inactive dead"
    (host.store / "loaded").write_text("\n".join([*known, unknown, ""]), encoding="utf-8")
    answer = host.shell.run("deploy.sh", "uninstall", "--yes")
    assert answer.returncode == 0, answer.stderr
    said = (host.store / "systemctl").read_text(encoding="utf-8").splitlines()
    assert "stop ai-semble.target ai-semble-pod.service" in said


def test_separate_containers_are_an_environment_too_and_are_taken_away_as_a_pod_is(host: Host) -> None:
    names = ("ai-semble-inside.network", "ai-semble.network", "ai-semble-orchestrator.container")
    host.have_units(*names, "ai-semble-pod.service", "ai-semble.target")
    unit = host.shell.folder / ".config/containers/systemd/ai-semble" / names[-1]
    unit.write_text("PublishPort=127.0.0.1:18080:8080\n", encoding="utf-8")
    host.have("network", "ai-semble", "ai-semble-inside")
    listed = host.shell.run("deploy.sh", "list").stdout.splitlines()[1:]
    assert [(name, backend, port) for name, backend, _, port, *_ in map(str.split, listed)] == [
        ("default", "quadlet", "18080")
    ]
    answer = host.shell.run("deploy.sh", "uninstall", "--yes")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.startswith("Removed 5 units, the networks ai-semble ai-semble-inside")
    assert host.left() == set()


def test_where_systemd_does_not_answer_nothing_is_removed(host: Host) -> None:
    """What it runs would go on without its files, and be started again."""
    host.have_units("ai-semble.pod")
    host.shell.stub("systemctl", "#!/bin/sh\nexit 1\n")
    answer = host.shell.run("deploy.sh", "uninstall", "--yes")
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: systemd of this user does not answer\nhint:  ")
    assert host.left() >= {"ai-semble.pod"}


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("image", IMAGES[0], "1 image"),
        ("secret", "ai-semble-token", "the secret ai-semble-token"),
        ("network", "ai-semble", "the network ai-semble"),
    ],
    ids=["image", "secret", "network"],
)
def test_what_a_setup_left_that_never_came_to_the_units_is_removed(
    host: Host, kind: str, name: str, words: str
) -> None:
    host.have(kind, name)
    answer = host.shell.run("deploy.sh", "uninstall", "--yes")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.splitlines()[0] == f"Removed {words}"
    assert host.left() == set()


def test_profiles_of_system_calls_alone_are_removed_too(host: Host) -> None:
    """They are put down first of all; then setup.sh was ended."""
    folder = host.shell.folder / ".config/containers/ai-semble/seccomp"
    folder.mkdir(parents=True)
    for name in ("llm.json", "nlp.json"):
        (folder / name).touch()
    answer = host.shell.run("deploy.sh", "uninstall", "--yes")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.splitlines()[0] == "Removed 2 profiles"
    assert not folder.parent.exists()


def test_containers_without_their_pod_are_removed(host: Host) -> None:
    """Files are copied one by one, the pod's among the last."""
    host.have_units("ai-semble-llm.container", "ai-semble-nlp.container")
    answer = host.shell.run("deploy.sh", "uninstall", "--yes")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.splitlines()[0] == "Removed 2 units"
    assert host.left() == set()


def test_half_an_environment_takes_nothing_from_a_whole_one(host: Host) -> None:
    host.have_units("ai-semble-dev.pod", "ai-semble-llm.container")
    host.have("image", *IMAGES)
    host.have("volume", *VOLUMES)
    answer = host.shell.run("deploy.sh", "uninstall", "--yes", "--data")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.splitlines()[0] == "Removed 1 unit, the volume ai-semble-data"
    assert "Kept, since other environments use them: the images and models" in answer.stderr
    assert host.left() == {"ai-semble-dev.pod", *IMAGES, "ai-semble-models"}


def test_the_seccomp_profiles_go_with_the_last_environment(host: Host) -> None:
    profile = host.shell.folder / ".config/containers/ai-semble/seccomp/nlp.json"
    profile.parent.mkdir(parents=True)
    profile.touch()
    host.have_units("ai-semble-dev.pod", "ai-semble.pod")
    assert host.shell.run("deploy.sh", "uninstall", "--yes").returncode == 0
    assert profile.exists()
    assert host.shell.run("deploy.sh", "uninstall", "--yes", "--dev").returncode == 0
    assert not profile.parent.parent.exists()


def test_data_that_were_kept_are_removed_later_and_nothing_is_left_to_say(host: Host) -> None:
    host.have("volume", *VOLUMES)
    answer = host.shell.run("deploy.sh", "uninstall", "--yes")
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: Ai-semble is not set up for this user\nhint: ")
    answer = host.shell.run("deploy.sh", "uninstall", "--yes", "--data")
    assert (answer.returncode, answer.stderr.splitlines()[0]) == (
        0,
        f"Removed the volumes {' '.join(VOLUMES)}",
    )
    assert host.left() == set()


def test_what_podman_does_not_remove_is_named(host: Host) -> None:
    host.have_units("ai-semble.pod")
    host.have("network", "ai-semble")
    host.shell.stub(
        "podman", PODMAN.format(store=host.store).replace("*rm)", "network\\ rm) exit 2 ;;\n  *rm)")
    )
    answer = host.shell.run("deploy.sh", "uninstall", "--yes")
    assert answer.returncode == 1
    assert "error: the network ai-semble could not be removed\nhint: " in answer.stderr


def test_nobody_is_asked_without_a_terminal_and_nothing_is_removed(host: Host) -> None:
    host.have_units("ai-semble.pod")
    answer = host.shell.run("deploy.sh", "uninstall")
    assert answer.returncode == 1
    assert "nobody is there to confirm: Remove of the environment default: 1 unit?" in answer.stderr
    assert host.left() == {"ai-semble.pod"}
