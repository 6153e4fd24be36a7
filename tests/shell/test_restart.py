"""Other settings are taken as a whole or not at all, and what runs is stopped only when the rest is certain."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.shell.conftest import CHECKOUT, Shell

# Whether it runs, and starts by itself, is a file of that name.
SYSTEMCTL = """#!/bin/sh
cd {store} || exit
[ "$1" = --user ] && shift
[ "$1" = --quiet ] && shift
case "$1" in
  is-active) [ -e running ] ;;
  list-units) [ ! -e running ] || echo "ai-semble.target loaded active active" ;;
  stop) case "$*" in *.target*) rm -f running ;; esac ;;
  start) touch running ;;
  enable) touch enabled ;;
  disable) rm -f enabled ;;
esac
"""
# Its images render what the settings say, and know what keeps the pod from starting; `edit` is saved meanwhile.
PODMAN = """#!/bin/sh
settings={config}/ai-semble/ai-semble.toml
case "$*" in
  version*) cat {store}/version ;;
  *'units render'*)
    echo once >>{store}/renderings
    for word; do case "$word" in *:/out:z) cd "${{word%:/out:z}}" || exit ;; esac; done
    door=$(sed -n 's/^address = "\\(.*\\)"$/PublishPort=\\1:8443:8443/p' "$settings")
    egress=$(sed -n 's/^egress = //p' "$settings")
    if grep -q '^4' {store}/version; then
      echo "# $egress" >ai-semble.yaml
    elif grep -q '^topology = "network"' "$settings"; then
      echo "$door" >ai-semble-orchestrator.container
      touch ai-semble-inside.network
    else
      echo "$door" >ai-semble.pod
    fi
    echo "# $egress" >ai-semble.target
    [ ! -e {store}/edit ] || cat {store}/edit >"$settings"
    ;;
  *'config check'*) echo "there is no valid API key" >&2; [ ! -e {store}/keyless ] ;;
  ps*) [ -e {store}/sick ] || printf '%s|Up (healthy)\\n' {containers} ;;
  *ai_semble.pod*) cat >/dev/null ;;
  *'network create'*) ;;
  network* | volume* | pod*) exit 1 ;;
esac
"""
# A command that fails for the files in whose path there is the word in the file of its name.
FAILING = """#!/bin/sh
for word; do [ ! -e {store}/{name} ] || case "$word" in *"$(cat {store}/{name})"*) echo full >&2; exit 1 ;; esac; done
exec {real} "$@"
"""
SERVICES = ("orchestrator", "llm", "vision", "nlp", "data-processor")
EXPOSED_APART = '[network]\ntopology = "network"\n[expose]\naddress = "192.168.1.5"\n'


class Host:
    """A user whose pod runs, and starts with the machine, as `deploy.sh start` leaves it."""

    def __init__(self, shell: Shell, version: str = "5.4.2") -> None:
        self.shell = shell
        self.store = shell.folder / "store"
        self.store.mkdir()
        self.put("version", f"{version}\n")
        config = shell.folder / ".config"
        self.settings = config / "ai-semble" / "ai-semble.toml"
        self.settings.parent.mkdir(parents=True)
        containers = " ".join(f"ai-semble-{name}" for name in SERVICES)
        shell.stub("podman", PODMAN.format(store=self.store, config=config, containers=containers))
        shell.stub("systemctl", SYSTEMCTL.format(store=self.store))
        for name in ("chmod", "timeout", "sleep", "xargs"):
            (shell.bin / name).symlink_to(str(shutil.which(name)))
        for name in ("cp", "mv"):
            real = shutil.which(name)
            (shell.bin / name).unlink(missing_ok=True)
            shell.stub(name, FAILING.format(store=self.store, name=name, real=real))
        self.settings.write_text("", encoding="utf-8")
        self.call("pod_install")
        assert self.deploy("start").returncode == 0

    def put(self, name: str, text: str = "") -> None:
        (self.store / name).write_text(text, encoding="utf-8")

    def has(self, *names: str) -> bool:
        return all((self.store / name).exists() for name in names)

    def deploy(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.shell.run("deploy.sh", *words)

    def call(self, function: str) -> subprocess.CompletedProcess[str]:
        """One function of the scripts, for the backend that is there."""
        words = f"""set -euo pipefail
        for name in common images backends; do source {CHECKOUT}/scripts/lib/$name.sh; done
        {function} "$(pod_backend)" """
        return self.shell.bash(words)

    def renderings(self) -> int:
        return len((self.store / "renderings").read_text("utf-8").splitlines())

    def units(self) -> dict[str, str]:
        """All files that systemd or Podman reads, and whatever else is left beside them."""
        files = (path for path in (self.shell.folder / ".config").rglob("ai-semble*.*") if path.is_file())
        return {
            path.name: path.read_text("utf-8") for path in files if path.suffix not in (".toml", ".settings")
        }


@pytest.fixture
def host(shell: Shell) -> Host:
    return Host(shell)


@pytest.mark.parametrize("verb", ["restart", "start"])
def test_what_keeps_another_topology_from_starting_is_said_before_anything_stops(
    host: Host, verb: str
) -> None:
    """A start is asked for when one service does not run."""
    before = host.units()
    host.settings.write_text(EXPOSED_APART, encoding="utf-8")
    host.put("keyless")
    host.put("sick")
    done = host.deploy(verb)
    assert done.returncode == 1
    assert "there is no valid API key" in done.stderr
    assert host.has("running", "enabled")
    assert host.units() == before


def test_a_disk_without_room_for_other_units_leaves_those_that_are_there_and_what_runs(host: Host) -> None:
    before = host.units()
    host.settings.write_text(EXPOSED_APART, encoding="utf-8")
    host.put("cp", "ai-semble-orchestrator.container")
    done = host.deploy("restart")
    assert done.returncode == 1
    assert "free some disk space" in done.stderr
    assert host.has("running", "enabled")
    assert host.units() == before


def test_a_restart_takes_another_topology_once(host: Host) -> None:
    host.settings.write_text(EXPOSED_APART, encoding="utf-8")
    done = host.deploy("restart")
    assert done.returncode == 0, done.stderr
    assert "Stopped" in done.stderr
    assert host.has("running", "enabled")
    assert "ai-semble-inside.network" in host.units()
    assert "ai-semble.pod" not in host.units()
    rendered = host.renderings()
    assert host.deploy("restart").returncode == 0
    assert host.renderings() == rendered


def test_after_a_setup_with_another_topology_the_machine_still_starts_it(host: Host) -> None:
    host.settings.write_text(EXPOSED_APART, encoding="utf-8")
    host.call("pod_install")
    assert not host.has("running")
    assert host.has("enabled")


def test_a_stop_keeps_the_machine_from_starting_it(host: Host) -> None:
    assert host.deploy("stop").returncode == 0
    assert not (host.has("running") or host.has("enabled"))


@pytest.mark.parametrize(
    ("version", "broken", "file"),
    [
        ("5.4.2", "cp", "ai-semble.target"),
        ("5.4.2", "mv", "ai-semble.target"),
        ("5.4.2", "mv", "ai-semble.settings"),
        ("4.3.1", "mv", "ai-semble.target"),
    ],
)
def test_settings_whose_units_could_not_be_written_are_not_taken(
    shell: Shell, version: str, broken: str, file: str
) -> None:
    host = Host(shell, version)
    host.deploy("stop")
    host.settings.write_text('[network]\negress = "none"\n', encoding="utf-8")
    host.put(broken, file)
    assert host.deploy("start").returncode == 1
    (host.store / broken).unlink()
    assert host.deploy("start").returncode == 0
    assert host.units()["ai-semble.target"] == '# "none"\n'


def test_what_is_saved_while_the_units_are_rendered_is_taken_by_the_next_start(host: Host) -> None:
    host.settings.write_text('[network]\negress = "guarded"\n', encoding="utf-8")
    host.put("edit", '[network]\negress = "none"\n')
    host.call("pod_install")
    (host.store / "edit").unlink()
    assert host.units()["ai-semble.target"] == '# "guarded"\n'
    assert host.deploy("restart").returncode == 0
    assert host.units()["ai-semble.target"] == '# "none"\n'


CHANGED = "error: the settings have changed since the pod was started"


def test_an_update_asks_what_runs_for_its_settings_not_the_units(host: Host) -> None:
    assert CHANGED not in host.deploy("update", "--from", "localhost/none").stderr
    host.settings.write_text("[server]\nport = 1\n", encoding="utf-8")
    host.call("pod_install")  # as setup.sh does
    assert host.deploy("update", "--from", "localhost/none").stderr.startswith(CHANGED)
    host.put("sick")
    host.shell.variables["AI_SEMBLE_START_LIMIT_S"] = "0"
    host.deploy("start")  # of what does not run, which is not all
    assert host.deploy("update", "--from", "localhost/none").stderr.startswith(CHANGED)
    (host.store / "sick").unlink()
    assert host.deploy("restart").returncode == 0
    assert CHANGED not in host.deploy("update", "--from", "localhost/none").stderr
