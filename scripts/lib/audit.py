"""Looks the pinned packages up among the known vulnerabilities; installs nothing.

.venv/bin/python scripts/lib/audit.py

pip-audit asks PyPI about every pin of every requirements file. Where nothing answers for PyPI, or what answers does not
know a package, that is said, and is no failure: a checkout is to be tested without a network, too. What is found is,
unless it stands in ACCEPTED.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
TIME_LIMIT_S = 300
MOST_NAMED = 10
# What pip-audit dies of when nobody answers.
UNREACHED = (
    "ConnectionError", "Could not connect", "JSONDecodeError", "Max retries exceeded", "not redirecting properly",
    "ProxyError", "ServiceError", "SSLError", "Timeout",
)  # fmt: skip


@dataclass(frozen=True)
class Accepted:
    """A vulnerability that is known and does not harm us; after `until` it counts again."""

    reason: str
    until: date


# By the id that is printed, as `PYSEC-2027-1`.
ACCEPTED: Mapping[str, Accepted] = {}


@dataclass(frozen=True)
class Finding:
    """One vulnerability of one pin, with all of its names."""

    package: str
    version: str
    ids: tuple[str, ...]
    mended_in: tuple[str, ...]

    def __str__(self) -> str:
        mended = f"mended in {', '.join(self.mended_in)}" if self.mended_in else "nowhere mended yet"
        return f"{self.package} {self.version}: {', '.join(self.ids)}; {mended}"


class NotReached(Exception):
    """Nobody answered for PyPI."""


def main() -> int:
    files = [REPOSITORY / "requirements-dev.txt", *sorted(REPOSITORY.glob("containers/**/requirements*.txt"))]
    try:
        told = pip_audit(files)
    except NotReached as error:
        print(f"not audited: {error}", file=sys.stderr)
        return 0
    if unknown := not_known(told):
        print(
            f"not audited: {in_words(unknown)}: what answers for PyPI here does not know them",
            file=sys.stderr,
        )
    bad = refused(findings(told), ACCEPTED, datetime.now(UTC).date())
    for finding in bad:
        print(
            f"vulnerable: {finding}; upgrade with ./scripts/lib/lock.sh, or say in {Path(__file__).name} why not",
            file=sys.stderr,
        )
    return int(bool(bad))


def pip_audit(files: Sequence[Path]) -> list[dict[str, Any]]:
    """What pip-audit says of each pin. Raises NotReached, and RuntimeError when it fails otherwise."""
    named = chain.from_iterable(("--requirement", str(file)) for file in files)
    options = ("--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json", "--timeout=10")
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours
            [_program(), *options, *named],
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotReached(f"PyPI has not answered within {TIME_LIMIT_S} s") from None
    if not done.stdout.strip():
        if any(word in done.stderr for word in UNREACHED):
            raise NotReached("PyPI cannot be reached from here")
        raise RuntimeError(done.stderr[-2000:])
    told: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    if all("skip_reason" in pin for pin in told):
        raise NotReached("what answers for PyPI here knows none of the packages")
    return told


def _program() -> str:
    """That of the environment, also where its programs are not in PATH."""
    return shutil.which("pip-audit") or str(Path(sys.executable).with_name("pip-audit"))


def findings(told: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Each once, though several files have the same pin."""
    found = {
        Finding(pin["name"], pin["version"], (fault["id"], *fault["aliases"]), tuple(fault["fix_versions"]))
        for pin in told
        for fault in pin.get("vulns", ())
    }
    return sorted(found, key=str)


def not_known(told: Iterable[Mapping[str, Any]]) -> list[str]:
    """The packages about which nobody could be asked."""
    return sorted({pin["name"] for pin in told if "skip_reason" in pin})


def in_words(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def refused(found: Iterable[Finding], accepted: Mapping[str, Accepted], today: date) -> list[Finding]:
    known = {name for name, why in accepted.items() if today <= why.until}
    return [finding for finding in found if known.isdisjoint(finding.ids)]


if __name__ == "__main__":
    raise SystemExit(main())
