"""install-security.sh on a real host: each layer is there, is there once, and goes away without a trace."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from ai_semble.topology import SERVICES
from tests.hosts.host import Host
from tests.hosts.recipes import CHECKOUT
from tests.support.securing import FOLDER, PORT, PROFILES, put_scripts, secure, status

STATE = "/var/lib/ai-semble-security"
# A user from before subordinate ids, and one whose profile was there before us.
USER = "old-hand"
OWN_PROFILE = f"{PROFILES}/ai-semble-llm.json"
OPEN, OTHER = PORT, PORT + 1
LISTENER = "listens-for-a-test"
# Both tables must let a packet in; the second decides by a rule. Those who are blocked may do nothing but SSH.
RULES = """
flush ruleset
table inet filter {
  set blocked { type ipv4_addr; }
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iif lo accept
    tcp dport 22 accept
    ip saddr @blocked reject with tcp reset
    reject with tcp reset
  }
}
table inet second {
  chain incoming {
    type filter hook input priority 10; policy accept;
    tcp dport 8000-9000 reject with tcp reset
  }
}
"""


@pytest.fixture(scope="module")
def checkout(host: Host) -> Iterator[Host]:
    """The host, with what the script needs of the checkout, and a user without subordinate ids."""
    put_scripts(host)
    host.run(
        f"""useradd --create-home {USER} && sed --in-place /^{USER}:/d /etc/subuid /etc/subgid
        mkdir --parents {PROFILES} && echo mine >{OWN_PROFILE} && chmod 0600 {OWN_PROFILE}""",
        user="root",
    )
    yield host
    secure(host, "--uninstall", check=False)
    host.run(f"userdel --remove {USER}; rm -r {PROFILES} /home/ai/{FOLDER}", user="root", check=False)


def traces(host: Host) -> str:
    """Every file of the system's settings, with its owner, mode and sum, and the rules of the firewall. What usermod
    keeps of the file before is not ours to undo."""
    look = f"""find /etc /var/lib/systemd/linger $(ls -d {STATE}) ! -name 'sub?id-' -printf '%y %m %u %g %p %l\\n'
        find /etc /var/lib/systemd/linger ! -name 'sub?id-' -type f -exec sha256sum {{}} +; nft list ruleset"""
    return "\n".join(sorted(host.run(f"({look}) 2>/dev/null", user="root", check=False).stdout.splitlines()))


def test_a_dry_run_changes_nothing(checkout: Host) -> None:
    before = traces(checkout)
    for words in ((), ("--open-port",), ("--uninstall",)):
        secure(checkout, "--dry-run", "--user", USER, *words)
    assert traces(checkout) == before


def test_it_installs_every_layer_that_the_host_can_have_and_takes_all_of_it_back(checkout: Host) -> None:
    before = traces(checkout)
    off = status(checkout, USER)
    for layer in ("subuid", "delegation", "linger"):
        assert off[layer].startswith(("off", "absent")), off

    secure(checkout, "--user", USER)
    for service in SERVICES:
        installed = checkout.run(f"cat {PROFILES}/ai-semble-{service}.json").stdout
        assert installed == (CHECKOUT / "security/seccomp" / f"{service}.json").read_text(encoding="utf-8")
    listed = checkout.run(f"ls -la {PROFILES}/").stdout
    assert listed.count("-rw-r--r-- 1 root root") == len(SERVICES)
    number = checkout.run(f"id --user {USER}").stdout.strip()
    delegated = checkout.run(f"systemctl show user@{number} --property DelegateControllers --value").stdout
    assert {"cpu", "cpuset", "io", "memory", "pids"} <= set(delegated.split())
    assert "Linger=yes" in checkout.run(f"loginctl show-user {USER} --property=Linger").stdout
    assert id_maps(checkout) == {("1", "165536", "65536")}
    assert status(checkout, USER)["seccomp"] == f"on      {len(SERVICES)} profiles in {PROFILES}"

    after = traces(checkout)
    secure(checkout, "--user", USER)
    assert traces(checkout) == after, "what is done is done again"

    secure(checkout, "--uninstall")
    assert traces(checkout) == before
    assert checkout.run(f"test -e {STATE}", check=False).returncode


def id_maps(host: Host) -> set[tuple[str, ...]]:
    """The ranges of ids that Podman's containers have, beside the user's own id."""
    alone = f"sudo -u {USER} XDG_RUNTIME_DIR=/run/user/$(id -u {USER}) podman unshare"
    lines = host.run(f"cd / && {alone} cat /proc/self/uid_map /proc/self/gid_map").stdout.splitlines()
    return {words for words in (tuple(line.split()) for line in lines) if words[0] != "0"}


@pytest.mark.thorough
def test_a_newer_checkout_is_told_and_installed(checkout: Host) -> None:
    secure(checkout)
    checkout.run(f"echo >>{FOLDER}/security/seccomp/nlp.json; mv {FOLDER}/security/seccomp/vision.json kept")
    try:
        told = status(checkout, USER)
        assert told["seccomp"].startswith("old")
        assert "ai-semble-nlp.json" in told["seccomp"]
        secure(checkout)
        assert status(checkout, USER)["seccomp"].startswith("on")
        left = checkout.run(f"ls {PROFILES}").stdout.split()
        assert "ai-semble-vision.json" not in left
    finally:
        checkout.run(f"mv kept {FOLDER}/security/seccomp/vision.json")
        secure(checkout, "--uninstall")


@pytest.mark.thorough
def test_a_step_that_fails_says_why_and_the_others_are_done(checkout: Host) -> None:
    before = traces(checkout)
    checkout.run(f"mv {PROFILES} {PROFILES}.away && touch {PROFILES}", user="root")
    try:
        answer = secure(checkout, "--user", USER, check=False)
        assert answer.returncode == 1
        assert "not everything could be done: seccomp" in answer.stderr
        assert f"this failed, see above: mkdir {PROFILES}" in answer.stderr
        assert status(checkout, USER)["linger"].startswith("on")
    finally:
        secure(checkout, "--uninstall")
        checkout.run(f"rm {PROFILES} && mv {PROFILES}.away {PROFILES}", user="root")
    assert traces(checkout) == before


@pytest.mark.thorough
def test_ids_that_containers_still_have_are_not_taken_away(checkout: Host) -> None:
    before = traces(checkout)
    secure(checkout, "--user", USER)
    storage = f"/home/{USER}/.local/share/containers"
    make_layer(checkout, storage)
    answer = secure(checkout, "--uninstall", check=False)
    assert answer.returncode == 1
    assert "podman system reset" in answer.stderr
    assert f"{USER}:" in checkout.run("cat /etc/subuid").stdout
    checkout.run(f"rm -r {storage}", user="root")

    # Podman's own settings may name another place.
    settings, elsewhere = f"/home/{USER}/.config/containers", "/srv/elsewhere"
    make_layer(checkout, elsewhere)
    wish = f'[storage]\ndriver = "vfs"\ngraphroot = "{elsewhere}"\n'
    checkout.run(f"mkdir -p {settings} && cat >{settings}/storage.conf", user="root", input=wish)
    processes = f"pgrep --uid {USER} --list-name 'podman|catatonit'"
    running = checkout.run(processes, check=False).stdout
    answer = secure(checkout, "--uninstall", check=False)
    assert answer.returncode == 1
    assert "podman system reset" in answer.stderr
    assert checkout.run(processes, check=False).stdout == running, "asking has left a process"
    checkout.run(f"rm -r {elsewhere}/* {settings}", user="root")
    secure(checkout, "--uninstall")
    assert traces(checkout) == before
    checkout.run(f"rm -r {elsewhere}", user="root")


def make_layer(host: Host, storage: str) -> None:
    """A file as a container's user would have made it."""
    host.run(
        f"""install --directory --owner={USER} /home/{USER}/.local{{,/share}} {storage}
        touch {storage}/layer && chown 170000 {storage}/layer""",
        user="root",
    )


def test_root_runs_nothing_that_another_user_could_have_written(checkout: Host) -> None:
    before = traces(checkout)
    checkout.run(f"chmod o+w {FOLDER}/scripts/security/seccomp.sh")
    try:
        answer = secure(checkout, check=False)
    finally:
        checkout.run(f"chmod o-w {FOLDER}/scripts/security/seccomp.sh")
    assert answer.returncode == 1
    assert "another user could change what root is about to run" in answer.stderr
    assert traces(checkout) == before


@pytest.fixture
def firewall(checkout: Host) -> Iterator[Host]:
    """A host that refuses everything but SSH, with programs that listen on two ports."""
    checkout.run("cp --archive /etc/nftables.conf /etc/nftables.kept", user="root")
    checkout.run("cat >/etc/nftables.conf", user="root", input=RULES)
    listen = f"systemd-socket-activate --accept --listen={OPEN} --listen={OTHER} cat"
    checkout.run(f"systemctl restart nftables && systemd-run --quiet --unit={LISTENER} {listen}", user="root")
    yield checkout
    checkout.run(
        f"""systemctl stop {LISTENER}; mv /etc/nftables.kept /etc/nftables.conf
        systemctl stop nftables""",
        user="root",
    )


def is_reachable(host: Host, port: int) -> bool:
    try:
        socket.create_connection((host.ssh.address, port), timeout=20).close()
    except ConnectionRefusedError:
        return False
    return True


def test_the_firewall_is_opened_for_exactly_that_port_and_closed_again(firewall: Host) -> None:
    before = traces(firewall)
    secure(firewall, "--user", USER)
    assert not is_reachable(firewall, OPEN)

    secure(firewall, "--open-port")
    secure(firewall, "--open-port", str(OPEN))
    assert is_reachable(firewall, OPEN)
    assert not is_reachable(firewall, OTHER)
    assert status(firewall, USER, "sudo")["firewall"] == f"on      nftables; opened by this script: {OPEN}"

    firewall.run("systemctl reload nftables", user="root")
    assert is_reachable(firewall, OPEN)
    firewall.run("systemctl restart nftables", user="root")
    assert is_reachable(firewall, OPEN)
    assert firewall.run("nft list ruleset", user="root").stdout.count("ai-semble port") == 2

    block = f"element inet filter blocked {{ {firewall.our_address} }}"
    firewall.run(f"nft add {block}", user="root")
    assert not is_reachable(firewall, OPEN), "whom the rules block comes in"
    firewall.run(f"nft delete {block}", user="root")

    secure(firewall, "--close-port", str(OTHER))
    assert is_reachable(firewall, OPEN)
    secure(firewall, "--close-port")
    assert not is_reachable(firewall, OPEN)
    firewall.run("systemctl restart nftables", user="root")
    assert not is_reachable(firewall, OPEN)

    secure(firewall, "--open-port", str(OTHER))
    assert is_reachable(firewall, OTHER)
    secure(firewall, "--uninstall")
    assert not is_reachable(firewall, OTHER)
    assert traces(firewall) == before


def test_without_a_firewall_nothing_is_opened_and_that_is_said(checkout: Host) -> None:
    before = traces(checkout)
    answer = secure(checkout, "--open-port")
    assert "no firewall is active" in answer.stderr
    assert traces(checkout) == before


@pytest.fixture
def empty_nftables(checkout: Host) -> Iterator[Host]:
    """A host whose service for nftables is active, with rules that keep nobody out."""
    checkout.run("systemctl reset-failed nftables; systemctl start nftables", user="root")
    yield checkout
    checkout.run("systemctl stop nftables", user="root")


def test_status_says_the_same_without_root(empty_nftables: Host) -> None:
    checkout = empty_nftables
    secure(checkout, "--user", USER)
    try:
        told, known = status(checkout, USER), status(checkout, USER, "sudo")
        assert "nftables, whose rules only root can read" in told.pop("firewall")
        assert known.pop("firewall") == "absent  no firewall is active on this machine"
        assert told == known
    finally:
        secure(checkout, "--uninstall")
