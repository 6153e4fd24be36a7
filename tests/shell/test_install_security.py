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
table inet filter { # handle 1
	set blocked { # handle 9
		type ipv4_addr
		elements = { 192.0.2.1,
			192.0.2.2 }
	}
	chain input { # handle 1
		type filter hook input priority filter; policy drop;
		ct state vmap { invalid : drop, established : accept, related : accept } # handle 2
		iif "lo" accept # handle 3
		ip saddr @blocked drop # handle 4
		ct state new limit rate over 10/second drop # handle 5
		tcp dport 22 accept comment "drop nobody" # handle 6
	}
	chain forward { # handle 2
		type filter hook forward priority filter; policy drop;
	}
}
table ip guard { # handle 2
	chain incoming { # handle 1
		type filter hook input priority 10; policy accept;
		ip saddr 192.0.2.3 drop # handle 2
		tcp dport { 25, 110 } reject # handle 3
		counter packets 7 bytes 8 jump bans # handle 4
		tcp dport 8000-9000 log prefix "no drop " reject with tcp reset # handle 5
		ip saddr 192.0.2.4 drop # handle 6
	}
	chain bans { # handle 7
		ip saddr 192.0.2.5 reject # handle 8
		return # handle 9
	}
}
table ip zones { # handle 3
	chain incoming { # handle 1
		type filter hook input priority 20; policy accept;
		iifname "eth0" jump public # handle 2
	}
	chain public { # handle 3
		tcp dport 22 accept # handle 4
		drop # handle 5
	}
}
table ip mail { # handle 4
	chain incoming { # handle 1
		type filter hook input priority 30; policy accept;
		tcp dport 25 reject # handle 2
	}
}
table inet numbers { # handle 7
	chain input { # handle 1
		type filter hook input priority 40; policy drop;
		meta l4proto 6 ip saddr 192.0.2.7 reject with tcp reset # handle 2
		meta l4proto 6 reject with tcp reset # handle 3
	}
	chain both { # handle 4
		type filter hook input priority 41; policy accept;
		meta l4proto { tcp, udp } th dport 1-65535 drop # handle 5
	}
}
table inet f2b-table { # handle 5
	chain f2b-chain { # handle 1
		type filter hook input priority -1; policy accept;
		tcp dport 0-65535 ip saddr 192.0.2.6 reject # handle 2
	}
}
table ip6 counting { # handle 6
	chain input { # handle 1
		type filter hook input priority 20; policy accept;
		counter packets 0 bytes 0 # handle 2
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


def test_nftables_is_opened_where_all_are_kept_out_behind_what_keeps_out_some(shell: Shell) -> None:
    shell.stub("systemctl", "#!/bin/sh\nexit 1\n")
    shell.stub("nft", NFT)
    answer = run(shell, "open", "8080", script="scripts/security/firewall.sh", SECURITY_DRY="yes")
    commands = [shlex.split(line)[1] for line in answer.stdout.splitlines() if line.startswith("nft ")]
    rule = 'tcp dport 8080 accept comment "ai-semble port 8080"'
    assert commands == [
        f"add rule inet filter input {rule}",
        f"insert rule ip guard incoming handle 5 {rule}",
        f"insert rule ip zones incoming handle 2 {rule}",
        f"insert rule inet numbers input handle 3 {rule}",
        f"insert rule inet numbers both handle 5 {rule}",
    ]
    assert "# in ip guard incoming it goes before: ip saddr 192.0.2.4 drop\n" in answer.stdout
    assert "# in ip zones incoming it goes before: iifname quoted jump public\n" in answer.stdout


def test_nftables_is_opened_once(shell: Shell) -> None:
    shell.stub("systemctl", "#!/bin/sh\nexit 1\n")
    there = 'tcp dport 8080 accept comment "ai-semble port 8080" # handle 77\n\t}\n\tchain forward'
    shell.stub("nft", NFT.replace("}\n\tchain forward", there, 1))
    answer = run(shell, "open", "8080", script="scripts/security/firewall.sh", SECURITY_DRY="yes")
    assert "add rule" not in answer.stdout
    assert "nft 'insert rule ip guard incoming handle 5 " in answer.stdout


@pytest.mark.parametrize(
    ("rules", "said"), [("tcp dport 25 reject", "nftables"), ("ip saddr 192.0.2.1 drop", "no firewall")]
)
def test_rules_that_keep_out_some_senders_alone_are_no_firewall(shell: Shell, rules: str, said: str) -> None:
    shell.stub("systemctl", "#!/bin/sh\nexit 1\n")
    chain = f"type filter hook input priority 0; policy accept;\n{rules} # handle 2"
    shell.stub("nft", f"#!/bin/sh\ncat <<'END'\ntable ip a {{\nchain b {{\n{chain}\n}}\n}}\nEND\n")
    answer = run(shell, "status", script="scripts/security/firewall.sh")
    assert said in answer.stdout


FIREWALLD = """#!/bin/sh
case "$*" in
  --get-default-zone) echo public ;;
  --get-zone-of-interface=wlan0) echo home ;;
  --get-zone-of-interface=podman1) echo trusted ;;
  --get-zone-of-interface=*) echo no zone; exit 2 ;;
  '--permanent --zone=trusted --get-target') echo ACCEPT ;;
  *--get-target) echo default ;;
  *) exit 1 ;;
esac
"""
ADDRESSES = """#!/bin/sh
cat <<'END'
2: eth0    inet 192.0.2.10/24 brd 192.0.2.255 scope global eth0
2: eth0    inet6 2001:db8::10/64 scope global
3: wlan0    inet 198.51.100.10/24 scope global dynamic wlan0
4: eth1    inet 203.0.113.10/24 scope global eth1
5: podman1    inet 10.89.0.1/24 scope global podman1
END
"""


def test_firewalld_is_opened_for_now_and_for_later_in_the_zone_of_each_outer_interface(shell: Shell) -> None:
    shell.stub("systemctl", "#!/bin/sh\nexit 0\n")
    shell.stub("firewall-cmd", FIREWALLD)
    shell.stub("ip", ADDRESSES)
    answer = run(shell, "open", "8443", script="scripts/security/firewall.sh", SECURITY_DRY="yes")
    assert [line for line in answer.stdout.splitlines() if line.startswith("firewall-cmd")] == [
        "firewall-cmd --zone=home --permanent --add-port=8443/tcp",
        "firewall-cmd --zone=home --add-port=8443/tcp",
        "firewall-cmd --zone=public --permanent --add-port=8443/tcp",
        "firewall-cmd --zone=public --add-port=8443/tcp",
    ]
    assert "it is opened in home (wlan0), public (eth0 eth1)\n" in answer.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    made = tmp_path / "checkout"
    (made / "scripts").mkdir(parents=True)
    (made / "security").mkdir()
    (made / "security" / "profile.json").write_text("{}", encoding="utf-8")
    return made


def trust(checkout: Path, *prelude: str) -> subprocess.CompletedProcess[str]:
    """What root would say of a checkout, when its owner calls sudo; `prelude` is shell that runs before."""
    libraries = [f"source {CHECKOUT}/scripts/lib/{name}.sh" for name in ("common", "trust")]
    lines = ["set -euo pipefail", *libraries, *prelude, f"CHECKOUT={checkout} TARGET_USER=", "trust_checkout"]
    return subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        env={**os.environ, "SUDO_UID": str(os.geteuid())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def with_tables(**changed: str) -> str:
    """Shell in which the system's tables say this of the caller, who is called `me`."""
    tables = {"group": "me:x:{gid}:", "passwd": "me:x:{uid}:{gid}::/:/bin/sh", "gshadow": "me:!::", **changed}
    names = {"uid": os.geteuid(), "gid": os.getegid()}
    cases = "\n".join(
        f"{name}) printf '%s\\n' {shlex.quote(text.format(**names))} ;;" for name, text in tables.items()
    )
    return f"""
        id() {{ if [[ $1 == -un ]]; then echo me; else command id "$@"; fi; }}
        getent() {{ case $1 in
        {cases}
        esac; }}"""


def test_root_runs_what_only_its_caller_can_write(checkout: Path) -> None:
    assert trust(checkout).returncode == 0


@pytest.mark.parametrize(
    ("what", "mode"),
    [
        ("security/profile.json", 0o646),
        ("security", 0o777),
        ("security", 0o1777),
        (".", 0o757),
        ("..", 0o707),
    ],
)
def test_root_runs_nothing_that_others_can_write(checkout: Path, what: str, mode: int) -> None:
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


@pytest.fixture
def shared(checkout: Path) -> Path:
    """As git makes it where a user's group may write what the user makes."""
    for path in (checkout, *checkout.rglob("*")):
        path.chmod(0o775)
    return checkout


def test_root_runs_what_a_group_can_write_in_which_its_caller_is_alone(shared: Path) -> None:
    answer = trust(shared, with_tables())
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    "tables",
    [
        {"group": "me:x:{gid}:me,another"},
        {"group": "staff:x:{gid}:"},
        {"passwd": "me:x:{uid}:{gid}::/:/bin/sh\nanother:x:4711:{gid}::/:/bin/sh"},
        {"gshadow": "me:$y$j9T$secret::"},
        {"gshadow": "me:!:another:"},
    ],
    ids=["member", "common", "first group", "password", "administrator"],
)
def test_root_runs_nothing_that_a_group_can_write_where_others_are_or_could_be(
    shared: Path, tables: dict[str, str]
) -> None:
    answer = trust(shared, with_tables(**tables))
    assert answer.returncode == 1
    assert "another user could change what root is about to run" in answer.stderr


@pytest.mark.parametrize("what", ["security/profile.json", "security", ".", ".."])
def test_root_runs_nothing_that_an_access_list_lets_another_user_write(checkout: Path, what: str) -> None:
    try:
        os.setxattr(checkout / what, "system.posix_acl_access", access_list(NOBODY))
    except OSError as error:
        pytest.skip(f"this file system has no access lists: {error}")
    answer = trust(checkout, with_tables())
    assert answer.returncode == 1
    assert str((checkout / what).resolve()) in answer.stderr


def access_list(user: int) -> bytes:
    """What lets its owner and this user write and enter, all others read; as acl(5) and the kernel have it."""
    owner, named, group, mask, others = 0x01, 0x02, 0x04, 0x10, 0x20
    entries = [
        (owner, 7, UNDEFINED),
        (named, 7, user),
        (group, 5, UNDEFINED),
        (mask, 7, UNDEFINED),
        (others, 5, UNDEFINED),
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
