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
    assert [line for line in answer.stdout.splitlines() if line.startswith("# in ")] == [
        "# in inet filter input this stands before it: ip saddr @blocked drop",
        "# in inet filter input this stands before it: ct state new limit rate over 10/second drop",
        "# in ip guard incoming this stands before it: ip saddr 192.0.2.3 drop",
        "# in ip guard incoming this stands before it: counter packets 7 bytes 8 jump bans",
        "# in ip guard incoming it goes before: ip saddr 192.0.2.4 drop",
        '# in ip zones incoming it goes before: iifname "eth0" jump public',
        "# in inet numbers input this stands before it: meta l4proto 6 ip saddr 192.0.2.7 reject with tcp reset",
        "# in inet f2b-table f2b-chain this stays: tcp dport 0-65535 ip saddr 192.0.2.6 reject",
    ]


def test_nftables_is_opened_once(shell: Shell) -> None:
    shell.stub("systemctl", "#!/bin/sh\nexit 1\n")
    there = 'tcp dport 8080 accept comment "ai-semble port 8080" # handle 77\n\t}\n\tchain forward'
    shell.stub("nft", NFT.replace("}\n\tchain forward", there, 1))
    answer = run(shell, "open", "8080", script="scripts/security/firewall.sh", SECURITY_DRY="yes")
    assert "add rule" not in answer.stdout
    assert "nft 'insert rule ip guard incoming handle 5 " in answer.stdout


def have_rules(shell: Shell, policy: str, *rules: str) -> None:
    """nftables, with these in the only chain that the kernel asks; the first has the handle 2."""
    shell.stub("systemctl", "#!/bin/sh\nexit 1\n")
    numbered = [f"{rule} # handle {number}" for number, rule in enumerate(rules, 2)]
    asked = ["chain b {", f"type filter hook input priority 0; policy {policy};", *numbered, "}"]
    led_to = [
        "chain some {",
        "ip saddr 192.0.2.9 drop # handle 90",
        "}",
        "chain none {",
        "accept # handle 91",
        "}",
    ]
    lines = "\n".join(["table inet a {", *led_to, *asked, "}"])
    shell.stub("nft", f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("tcp dport 25 reject", "nftables"),
        ("ct state invalid,new drop", "nftables"),
        ("ct state invalid drop", "no firewall"),
        ("ip saddr 192.0.2.1 drop", "no firewall"),
    ],
)
def test_rules_that_keep_out_some_senders_alone_are_no_firewall(shell: Shell, rules: str, said: str) -> None:
    have_rules(shell, "accept", rules)
    answer = run(shell, "status", script="scripts/security/firewall.sh")
    assert said in answer.stdout


def test_what_stays_closed_is_said_where_nothing_keeps_everybody_out(shell: Shell) -> None:
    have_rules(shell, "accept", "ip saddr != 192.0.2.0/24 drop")
    answer = run(shell, "open", "8080", script="scripts/security/firewall.sh", SECURITY_DRY="yes")
    assert "# in inet a b this stays: ip saddr != 192.0.2.0/24 drop\n" in answer.stdout
    assert not re.search("^nft ", answer.stdout, re.M)


@pytest.mark.parametrize(
    "rule",
    [
        "meta pkttype host limit rate 5/second counter packets 1 bytes 2 reject with icmpx admin-prohibited",
        "limit rate 10 mbytes/second burst 5 kbytes drop",
        "meta nfproto ipv4 reject",
        "fib daddr type local reject",
        "ct state invalid,new drop",
        "ct state { invalid, new } drop",
        "ct state != established | related drop",
        'iifname != "lo" drop',
    ],
)
@pytest.mark.parametrize("policy", ["drop", "accept"])
def test_nftables_is_opened_before_what_meets_everybody(shell: Shell, policy: str, rule: str) -> None:
    have_rules(shell, policy, "tcp dport 22 accept", rule, "counter packets 1 bytes 2")
    answer = run(shell, "open", "8080", script="scripts/security/firewall.sh", SECURITY_DRY="yes")
    assert "\nnft 'insert rule inet a b handle 3 " in answer.stdout
    assert "# in inet a b" not in answer.stdout


SOME = [
    'iifname "guest0" drop',
    'iif != { "lo", "eth0" } reject',
    "meta nfproto ipv6 drop",
    "reject with icmpv6 admin-prohibited",
    "limit rate over 5/second drop",
    "tcp dport 8080 ct count over 5 drop",
    "ip saddr != 192.0.2.0/24 drop",
    "ct state vmap { established : accept, new : jump some }",
    'iifname vmap { "lo" : accept, "guest0" : drop }',
    "iifname vmap @zones",
    "jump some",
]


@pytest.mark.parametrize("rule", SOME)
@pytest.mark.parametrize(
    ("policy", "last", "command"),
    [
        ("drop", "tcp dport 22 accept", "add rule inet a b "),
        ("accept", "drop", "insert rule inet a b handle 3 "),
    ],
)
def test_whom_nftables_keeps_out_by_a_rule_of_their_own_stays_out_and_that_is_said(
    shell: Shell, policy: str, last: str, command: str, rule: str
) -> None:
    have_rules(shell, policy, rule, last)
    answer = run(shell, "open", "8080", script="scripts/security/firewall.sh", SECURITY_DRY="yes")
    assert f"\nnft '{command}" in answer.stdout
    assert f"\n# in inet a b this stands before it: {rule}\n" in answer.stdout


@pytest.mark.parametrize("rule", SOME)
def test_whom_the_opening_lets_past_a_rule_is_said(shell: Shell, rule: str) -> None:
    have_rules(shell, "accept", "tcp dport 8000-9000 drop", rule)
    answer = run(shell, "open", "8080", script="scripts/security/firewall.sh", SECURITY_DRY="yes")
    assert f"\n# in inet a b it goes before: {rule}\n" in answer.stdout


@pytest.mark.parametrize(
    "rule",
    [
        "tcp dport 25 drop",
        "udp dport 8080 drop",
        "meta l4proto udp reject",
        "ip protocol icmp drop",
        "icmp type echo-request drop",
        "ct state invalid drop",
        "ct state vmap { invalid : drop, established : accept, related : accept }",
        "jump none",
    ],
)
def test_rules_of_other_packets_are_no_matter(shell: Shell, rule: str) -> None:
    have_rules(shell, "drop", rule)
    answer = run(shell, "open", "8080", script="scripts/security/firewall.sh", SECURITY_DRY="yes")
    assert "\nnft 'add rule inet a b " in answer.stdout
    assert "# in inet a b" not in answer.stdout


FIREWALLD = """#!/bin/sh
case "$*" in
  --get-default-zone) echo public ;;
  --get-zone-of-interface=wlan0) echo home ;;
  --get-zone-of-interface=podman1) echo trusted ;;
  --get-zone-of-interface=guest0) echo drop ;;
  --get-zone-of-interface=guest1) echo block ;;
  --get-zone-of-interface=*) echo no zone; exit 2 ;;
  '--permanent --zone=trusted --get-target') echo ACCEPT ;;
  '--permanent --zone=drop --get-target') echo DROP ;;
  '--permanent --zone=block --get-target') echo '%%REJECT%%' ;;
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
6: guest0    inet 10.1.0.1/24 scope global guest0
7: guest1    inet 10.2.0.1/24 scope global guest1
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
    for zone in ("home (wlan0)", "public (eth0 eth1)"):
        assert f"# it is opened in {zone}\n" in answer.stdout
    for zone in ("block (guest1)", "drop (guest0)"):
        assert f"# left closed: {zone}, " in answer.stdout


def test_the_port_that_is_opened_unnamed_is_said(shell: Shell) -> None:
    assert "it was 8443" in run(shell, "--open-port", "--dry-run").stderr
    assert "it was" not in run(shell, "--open-port", "9443", "--dry-run").stderr


def ufw(shell: Shell, command: str, *rules: str) -> subprocess.CompletedProcess[str]:
    """What a dry run of the step does where these rules were added before."""
    shell.stub("ufw", "#!/bin/sh\ncat <<'END'\n" + "\n".join(("Added user rules:", *rules)) + "\nEND\n")
    return within(shell, command, *AS_A_USER, step="firewall")


@pytest.mark.parametrize(
    ("rule", "to_delete"),
    [
        ("ufw limit 8443/tcp", "limit 8443/tcp"),
        ("ufw deny 8443/tcp comment 'not yet'", "deny 8443/tcp"),
        ("ufw reject log 8443/tcp", "reject log 8443/tcp"),
    ],
)
def test_ufw_keeps_a_rule_of_its_owner_s_that_opening_would_replace(
    shell: Shell, rule: str, to_delete: str
) -> None:
    answer = ufw(shell, "open_ufw 8443", "ufw allow 22/tcp", rule)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert f"which stays: {rule}\n" in answer.stderr
    assert f"sudo ufw delete {to_delete};" in answer.stderr


def test_ufw_is_opened_beside_rules_of_other_ports_protocols_and_senders_and_once(shell: Shell) -> None:
    others = (
        "ufw limit 22/tcp",
        "ufw deny 8443/udp",
        "ufw deny 8443",
        "ufw deny out 8443/tcp",
        "ufw deny 18443/tcp",
        "ufw deny from 192.0.2.1 to any port 8443 proto tcp",
    )
    opening = "ufw allow 8443/tcp comment ai-semble\n"
    assert ufw(shell, "open_ufw 8443", *others).stdout == opening
    for there in ("ufw allow 8443/tcp", "ufw allow log 8443/tcp comment 'mine'"):
        assert ufw(shell, "open_ufw 8443", there).stdout == "# it is open already\n"


def test_ufw_is_closed_only_by_the_rule_that_opened_it(shell: Shell) -> None:
    assert ufw(shell, "undo_ufw 8443", "ufw allow 8443/tcp comment 'ai-semble'").stdout == (
        "ufw delete allow 8443/tcp\n"
    )
    for rules in ((), ("ufw limit 8443/tcp",), ("ufw allow 8443/tcp comment 'mine'",)):
        assert ufw(shell, "undo_ufw 8443", *rules).stdout.startswith("# ufw has another rule"), rules


def take_ids_back(shell: Shell, user: str, ids: Path, *as_whom: str) -> subprocess.CompletedProcess[str]:
    """What a dry run of --uninstall does about a range of this user's."""
    ids.write_text(f"{user}:100000:65536\n", encoding="utf-8")
    shell.stub("podman", f"#!/bin/sh\necho asked >>{ids}\n")
    return within(shell, f"undo_range {user} {ids} 100000", *as_whom)


def within(
    shell: Shell, command: str, *as_whom: str, step: str = "subuid"
) -> subprocess.CompletedProcess[str]:
    """A command of a step, by default the one about subordinate ids."""
    file = str(CHECKOUT / f"scripts/security/{step}.sh")
    return subprocess.run(
        [*as_whom, "bash", "-c", f'source "$0" status >/dev/null; {command}', file],
        env={"PATH": f"{shell.bin}:/usr/bin:/bin", "SECURITY_DRY": "yes", "SECURITY_USER": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nobody_is_asked_about_the_containers_of_another_user(shell: Shell, tmp_path: Path) -> None:
    ids = tmp_path / "subuid"
    answer = take_ids_back(shell, "root", ids, *AS_A_USER)
    assert "asked" not in ids.read_text(encoding="utf-8")
    assert "# only if root has no containers or images, which root can see\nsed " in answer.stdout


def test_ids_stay_when_a_user_s_podman_does_not_answer_in_time(shell: Shell, tmp_path: Path) -> None:
    # As systemd does: it ends what has a limit, and waits for the rest.
    ends = "#!/bin/sh\ncase \"$*\" in *' --property=RuntimeMaxSec='[1-9]*) exit 1 ;; esac\necho /nowhere\n"
    shell.stub("systemd-run", ends)
    answer = take_ids_back(shell, "nobody", tmp_path / "subuid", "unshare", "--user", "--map-root-user")
    assert answer.returncode == 1
    assert "Podman does not say where it keeps the containers of nobody" in answer.stderr
    assert not answer.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_other_disks_are_not_searched_for_files_of_containers(shell: Shell, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    search = f"foreign_file root {tmp_path}"
    make = f"touch {disk}/file; chown 12345 {disk}/file"
    answer = within(shell, f"mount -t tmpfs none {disk}; {make}; {search}", "unshare", "--mount")
    if "mount" in answer.stderr:
        pytest.skip(f"nothing can be mounted here: {answer.stderr}")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert within(shell, f"{make}; {search}").stdout == f"{disk}/file\n"


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
