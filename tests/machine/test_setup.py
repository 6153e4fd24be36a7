"""What setup.sh says of a real host."""

from __future__ import annotations

from tests.hosts.environment import Installed


def test_a_check_of_a_host_that_is_set_up_ends_well_and_each_remark_has_a_fix(installed: Installed) -> None:
    lines = installed.script("./scripts/setup.sh --check").stdout.splitlines()
    found = {line.split()[1]: line.split()[0] for line in lines if not line.startswith(" ")}
    assert {"podman", "subuid", "storage", "systemd"} <= {
        name for name, word in found.items() if word == "ok"
    }
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        assert not line.startswith("bad"), line
        if line.startswith("warn"):
            assert after.strip().startswith("fix: "), line
