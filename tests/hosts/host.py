"""A running host, as tests see it. Only the keeper is root."""

from __future__ import annotations

import json
import select
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.hosts import requirements
from tests.hosts.building import USER
from tests.hosts.recipes import CHECKOUT, HOSTS, HostRecipe
from tests.hosts.ssh import HostError, Ssh
from tests.hosts.surroundings import ca_bundle, environment

# A user manager that stops containers may take as long as systemd lets it (two minutes), before the boot begins.
BOOTED_WITHIN_S = 240
STOPPED_WITHIN_S = 300
# Gigabytes are copied, perhaps when another host has been made.
KEPT_WITHIN_S = 1200
REPORTED_LINES = 60


@dataclass
class Host:
    """One host. `our_address` is where it reaches this machine; it is given `slowness` times as long as others."""

    recipe: HostRecipe
    keeper: subprocess.Popen[str]
    ssh: Ssh
    our_address: str
    slowness: int = 1
    boots: int = field(default=1)

    def run(
        self,
        command: str,
        user: str = USER,
        check: bool = True,
        timeout: float = 120,
        input: str | bytes | None = None,
        terminal: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a line of shell. Raises HostError with what it said unless it ends with 0 in time.

        Where that takes long it runs in one scope of the user's manager, as in a desktop's terminal; in a login of its
        own, Podman makes a scope for each of its calls.
        """
        within_s = timeout * self.slowness
        if self.slowness > 1 and user == USER and not terminal:
            command = f"systemd-run --user --scope --quiet bash -c {shlex.quote(command)}"
        return self.ssh.run(command, user=user, check=check, timeout=within_s, input=input, terminal=terminal)

    def put(self, local: Path, remote: str, user: str = USER) -> None:
        """Copy a file or folder to the host; a relative name lies in the user's home."""
        self.ssh.put(local, remote, user=user)

    def get(self, remote: str, local: Path, user: str = USER) -> None:
        """Copy a file or folder from the host."""
        self.ssh.get(remote, local, user=user)

    def reboot(self) -> None:
        """Boot again, as `reboot` typed on it does, and wait until its user can log in."""
        self.run("systemctl --no-block reboot", user="root", check=False)
        facts = _facts(self.keeper, "it did not boot again")
        self.boots = facts["boots"]
        self.wait_until_up()

    def wait_until_up(self) -> None:
        """Until the user can log in and has a manager."""
        deadline = time.monotonic() + BOOTED_WITHIN_S * self.slowness
        answer = None
        while time.monotonic() < deadline and self.keeper.poll() is None:
            answer = self.run(
                "systemctl --user is-active default.target basic.target", check=False, timeout=20
            )
            if answer.stdout.split() and answer.stdout.split()[-1] == "active":
                return
            time.sleep(0.2)
        raise HostError(f"{self.recipe.name} is not up, its last answer was: {answer}")

    def keep_home(self, name: str) -> None:
        """Keep a copy of its home folders as they are now, from which other hosts may begin. It may not be possible."""
        assert self.keeper.stdin
        print(name, file=self.keeper.stdin, flush=True)
        _facts(self.keeper, "its home could not be kept", KEPT_WITHIN_S)

    def journal(self, options: str = "--boot --no-pager") -> str:
        """The journal of the system and of every user."""
        return self.run(f"journalctl {options}", user="root", check=False).stdout

    def report(self) -> str:
        """What a failure's reader wants: units, their journals, and what each container said."""
        lines = f"--no-pager --lines={REPORTED_LINES}"
        script = f"""
            echo '--- units that are not well'
            systemctl --user --no-pager --no-legend list-units --state=failed,activating,auto-restart
            echo '--- containers'; podman ps --all --pod
            for unit in $(systemctl --user --no-legend --plain list-units --all 'ai-semble*' | cut -d' ' -f1); do
              echo "--- journal of $unit"
              journalctl --user --unit="$unit" --output=cat {lines}
            done
            for container in $(podman ps --all --format '{{{{.Names}}}}'); do
              echo "--- logs of $container"; podman logs --tail={REPORTED_LINES} "$container" 2>&1
            done
            echo '--- the end of the journal'
        """
        try:
            user = self.run(script, check=False, timeout=120).stdout
            return user + self.run(f"journalctl {lines}", user="root", check=False).stdout
        except HostError as error:
            return f"the host does not answer: {error}"

    def stop(self) -> None:
        """Throw the host away."""
        assert self.keeper.stdin
        self.keeper.stdin.close()
        if self.keeper.wait(STOPPED_WITHIN_S):
            raise HostError("the keeper could not clean up; what it said is above")


@contextmanager
def running_host(name: str, home: str = "") -> Iterator[Host]:
    """A freshly booted host, with a kept home if so asked; thrown away at the end, whatever happened."""
    requirements.check()
    subprocess.run(requirements.as_root(*_tests_hosts("build", name)), cwd=CHECKOUT, check=True)
    with tempfile.TemporaryDirectory(prefix="ai-semble-host-") as folder:
        key = Path(folder, "key")
        make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(key)]
        subprocess.run(make_key, check=True)
        order = {
            "recipe": name,
            "public_key": key.with_suffix(".pub").read_text(encoding="ascii"),
            "ca_bundle": ca_bundle(),
            "environment": environment(),
            "home": home,
        }
        with _start_keeper(order) as keeper:
            try:
                facts = _facts(keeper, "it did not boot")
                ssh = Ssh(facts["address"], key)
                host = Host(HOSTS[name], keeper, ssh, facts["our_address"], facts["slowness"])
                host.wait_until_up()
                yield host
                host.stop()
            finally:
                assert keeper.stdin
                keeper.stdin.close()
                keeper.wait(STOPPED_WITHIN_S)


def _start_keeper(order: dict[str, str]) -> subprocess.Popen[str]:
    # A session of its own: Ctrl-C is for the tests, and the keeper ends when they have ended.
    return subprocess.Popen(
        requirements.as_root(*_tests_hosts("keep", json.dumps(order))),
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _tests_hosts(*words: str) -> list[str]:
    # Of root's own it leaves no compiled modules in the checkout.
    return [sys.executable, "-B", "-m", "tests.hosts", *words]


def _facts(
    keeper: subprocess.Popen[str], otherwise: str, within_s: float = BOOTED_WITHIN_S
) -> dict[str, Any]:
    assert keeper.stdout
    line = _line(keeper.stdout, within_s)
    if not line:
        raise HostError(f"{otherwise}; what the keeper said is above")
    facts: dict[str, Any] = json.loads(line)
    return facts


def _line(stream: IO[str], within_s: float) -> str:
    readable, _, _ = select.select([stream], [], [], within_s)
    return stream.readline() if readable else ""
