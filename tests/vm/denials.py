"""What a kernel has denied to our services: lines of the audit log, of SELinux as of AppArmor."""

from __future__ import annotations

from tests.hosts.host import Host

# It is rotated; the oldest first.
LOG = "set -o pipefail; ls -rv /var/log/audit/audit.log* | xargs cat"


def written(host: Host) -> int:
    """How many lines the log has by now, of whatever kind."""
    return int(host.run(f"{LOG} | wc --lines", user="root").stdout)


def denied(host: Host, after: int = 0) -> list[str]:
    """The lines, beyond so many, that deny something to a domain or a profile of ours."""
    lines = host.run(f"{LOG} | tail --lines=+{after + 1}", user="root").stdout.splitlines()
    return [line for line in lines if _is_ours(line)]


def _is_ours(line: str) -> bool:
    by_selinux = "avc:  denied" in line and "ai_semble_" in line
    return by_selinux or ('apparmor="DENIED"' in line and 'profile="ai-semble' in line)
