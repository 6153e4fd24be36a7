"""install-security.sh without root: what it says, what it would do, and whose files it would not run.

What it does is in tests/machine/test_install_security.py, on hosts that are thrown away.
"""

from __future__ import annotations

import os
import re
import shlex
import struct
import subprocess
from pathlib import Path

import pytest

from ai_semble.topology import SERVICES
from tests.shell.conftest import CHECKOUT, Shell

SCRIPT = "scripts/install-security.sh"
STEPS = sorted((CHECKOUT / "scripts" / "security").glob("*.sh"))
# Root becomes a user without any rights beyond its files.
AS_A_USER = ("unshare", "--user") if os.geteuid() == 0 else ()
NOBODY, UNDEFINED = 65534, 0xFFFFFFFF
NFT = """#!/bin/sh
cat <<'END'
table inet filter {
	set known {
		type ipv4_addr
	}
	chain input {
		type filter hook input priority filter; policy drop;
		iif "lo" accept
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
table ip guard {
	chain incoming {
		type filter hook input priority 10; policy accept;
		tcp dport 25 reject
	}
	chain other {
		drop
	}
}
table ip6 counting {
	chain input {
		type filter hook input priority 20; policy accept;
		counter packets 0 bytes 0
	}
}
END
"""


def run(
    shell: Shell, *words: str, script: str = SCRIPT, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*AS_A_USER, "bash", str(CHECKOUT / script), *words],
        env={**shell.variables, "PATH": f"{shell.bin}:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_is_the_comment_at_its_head(shell: Shell) -> None:
    answer = run(shell, "--help")
    assert answer.returncode == 0
    for option in ("--dry-run", "--status", "--uninstall", "--open-port", "--close-port", "--user"):
        assert option in answer.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--nonsense",),
        ("install",),
        ("--status", "--uninstall"),
        ("--open-port", "0"),
        ("--open-port", "65536"),
        ("--open-port", "80;reboot"),
        ("--user",),
        ("--user", "root"),
        ("--user", "nobody-of-this-name"),
        ("--user", "-x"),
    ],
)
def test_a_wrong_command_line_ends_with_2_before_anything_is_said_or_done(
    shell: Shell, words: tuple[str, ...]
) -> None:
    answer = run(shell, *words)
    assert answer.returncode == 2, answer.stderr
    assert "hint:  " in answer.stderr
    assert not answer.stdout


@pytest.mark.parametrize("words", [(), ("--uninstall",), ("--open-port",), ("--close-port", "8080")])
def test_without_root_it_does_nothing_and_says_what_works_without(
    shell: Shell, words: tuple[str, ...]
) -> None:
    answer = run(shell, *words)
    assert answer.returncode == 1
    assert "only root" in answer.stderr
    assert "--dry-run" in answer.stderr
    assert not answer.stdout


def test_a_dry_run_prints_a_script_of_what_would_be_done(shell: Shell) -> None:
    answer = run(shell, "--dry-run")
    assert answer.returncode == 0, answer.stderr
    for service in SERVICES:
        source = CHECKOUT / "security" / "seccomp" / f"{service}.json"
        target = f"/etc/containers/seccomp/ai-semble-{service}.json"
        assert target in answer.stdout or Path(target).read_bytes() == source.read_bytes()
    subprocess.run(["bash", "-n"], input=answer.stdout, text=True, check=True)
    said = re.findall(r"^# == (\S+): (.+)$", answer.stdout, re.M)
    assert {name for name, _ in said} == {step.stem for step in STEPS}


def test_every_step_explains_itself_in_one_line() -> None:
    for step in STEPS:
        lines = step.read_text(encoding="utf-8").splitlines()
        assert re.fullmatch(r"# [A-Z].*\.", lines[1]), step.name


def test_status_has_a_line_a_layer_and_says_what_to_do(shell: Shell) -> None:
    answer = run(shell, "--status")
    lines = [line.split(maxsplit=2) for line in answer.stdout.splitlines()]
    assert [name for name, _, _ in lines] == re.findall(r"^STEPS=\((.*)\)$", text(SCRIPT), re.M)[0].split()
    states = {state for _, state, _ in lines}
    assert states <= {"on", "off", "old", "absent"}
    could_be_better = bool(states & {"off", "old"})
    assert answer.returncode == int(could_be_better)
    assert ("sudo ./scripts/install-security.sh" in answer.stderr) == could_be_better


def test_nftables_is_opened_in_every_chain_that_could_drop_and_in_no_other(shell: Shell) -> None:
    shell.stub("systemctl", "#!/bin/sh\nexit 1\n")
    shell.stub("nft", NFT)
    answer = run(shell, "open", "8080", script="scripts/security/firewall.sh", SECURITY_DRY="yes")
    inserted = [line for line in answer.stdout.splitlines() if line.startswith("nft insert")]
    rule = 'tcp dport 8080 accept comment "ai-semble port 8080"'
    assert [shlex.split(line)[3:] for line in inserted] == [
        ["inet", "filter", "input", rule],
        ["ip", "guard", "incoming", rule],
    ]
    assert f"insert rule inet filter input {rule}\ninsert rule ip guard incoming {rule}\n" in answer.stdout


def test_firewalld_is_opened_for_now_and_for_later(shell: Shell) -> None:
    shell.stub("systemctl", "#!/bin/sh\nexit 0\n")
    shell.stub("firewall-cmd", '#!/bin/sh\n[ "$1" = --get-default-zone ] && echo public\n')
    answer = run(shell, "open", "8443", script="scripts/security/firewall.sh", SECURITY_DRY="yes")
    assert [line for line in answer.stdout.splitlines() if line.startswith("firewall-cmd")] == [
        "firewall-cmd --zone=public --permanent --add-port=8443/tcp",
        "firewall-cmd --zone=public --add-port=8443/tcp",
    ]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    made = tmp_path / "checkout"
    (made / "scripts").mkdir(parents=True)
    (made / "security").mkdir()
    (made / "security" / "profile.json").write_text("{}", encoding="utf-8")
    return made


def trust(checkout: Path) -> subprocess.CompletedProcess[str]:
    """What root would say of a checkout, when its owner calls sudo."""
    libraries = " ".join(f"source {CHECKOUT}/scripts/lib/{name}.sh;" for name in ("common", "trust"))
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail; {libraries} CHECKOUT={checkout} TARGET_USER=; trust_checkout"],
        env={**os.environ, "SUDO_UID": str(os.geteuid())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_root_runs_what_only_its_caller_can_write(checkout: Path) -> None:
    assert trust(checkout).returncode == 0


@pytest.mark.parametrize(
    ("what", "mode"),
    [
        ("security/profile.json", 0o646),
        ("security/profile.json", 0o664),
        ("security", 0o777),
        ("security", 0o1775),
        (".", 0o757),
        ("..", 0o707),
        ("..", 0o770),
    ],
)
def test_root_runs_nothing_that_its_group_or_others_can_write(checkout: Path, what: str, mode: int) -> None:
    (checkout / what).chmod(mode)
    answer = trust(checkout)
    assert answer.returncode == 1
    assert "another user could change what root is about to run" in answer.stderr
    assert str((checkout / what).resolve()) in answer.stderr


def test_what_it_says_takes_the_right_to_write_from_others(checkout: Path) -> None:
    for folder in (checkout.parent, checkout / "security"):
        folder.chmod(0o777)
        subprocess.run(["bash", "-c", trust(checkout).stderr.splitlines()[1].rpartition(": ")[2]], check=True)
        assert trust(checkout).returncode == 0


def test_root_runs_nothing_that_an_access_list_lets_another_user_write(checkout: Path) -> None:
    profile = checkout / "security" / "profile.json"
    try:
        os.setxattr(profile, "system.posix_acl_access", access_list(NOBODY))
    except OSError as error:
        pytest.skip(f"this file system has no access lists: {error}")
    answer = trust(checkout)
    assert answer.returncode == 1
    assert str(profile) in answer.stderr


def access_list(user: int) -> bytes:
    """Of a file that all may read, and its owner and this user write; as acl(5) and the kernel have it."""
    owner, named, group, mask, others = 0x01, 0x02, 0x04, 0x10, 0x20
    entries = [
        (owner, 6, UNDEFINED),
        (named, 6, user),
        (group, 4, UNDEFINED),
        (mask, 6, UNDEFINED),
        (others, 4, UNDEFINED),
    ]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_root_follows_no_link_of_a_checkout(checkout: Path) -> None:
    (checkout / "security" / "secret.json").symlink_to("/etc/shadow")
    answer = trust(checkout)
    assert answer.returncode == 1
    assert "secret.json is a link" in answer.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others; tests/machine has it, too")
@pytest.mark.parametrize(("user", "group", "mode"), [(12345, 0, 0o644), (0, 12345, 0o664)])
def test_root_runs_nothing_of_another_user_or_group(checkout: Path, user: int, group: int, mode: int) -> None:
    profile = checkout / "security" / "profile.json"
    os.chown(profile, user, group)
    profile.chmod(mode)
    assert trust(checkout).returncode == 1


def text(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")
