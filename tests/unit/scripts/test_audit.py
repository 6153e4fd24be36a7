"""Known vulnerabilities of pinned packages: what pip-audit says, and what is made of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import audit
from audit import Accepted, Finding

SOUND = {"name": "anyio", "version": "4.0.0", "vulns": []}
FAULT = {"id": "PYSEC-2027-1", "aliases": ["CVE-2027-1"], "fix_versions": ["2.0.1"], "description": "x"}
FAULTY = {"name": "yarl", "version": "2.0.0", "vulns": [FAULT]}
UNKNOWN = {"name": "idna", "skip_reason": "Dependency not found on PyPI"}
AT_FIRST = [f"unknown-{number:02}" for number in range(10)]
FOUND = Finding("yarl", "2.0.0", ("PYSEC-2027-1", "CVE-2027-1"), ("2.0.1",))


def stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, says: Any = "", errors: str = "") -> None:
    """A program named pip-audit that says this."""
    said = json.dumps({"dependencies": says}) if says else ""
    program = tmp_path / "pip-audit"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.stdout.write({said!r})\nsys.stderr.write({errors!r})\nsys.exit(1)\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_a_vulnerable_pin_fails_and_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stands_in(tmp_path, monkeypatch, says=[SOUND, FAULTY, FAULTY])
    assert audit.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vulnerable: yarl 2.0.0: PYSEC-2027-1, CVE-2027-1; mended in 2.0.1; upgrade with")


def test_sound_pins_pass_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stands_in(tmp_path, monkeypatch, says=[SOUND])
    assert audit.main() == 0
    assert capsys.readouterr().err == ""


def test_pins_that_nobody_knows_are_named_beside_what_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [{**UNKNOWN, "name": f"unknown-{number:02}"} for number in range(13)]
    for unknown, named in (([UNKNOWN, UNKNOWN], "idna"), (many, f"{', '.join(AT_FIRST)} and 3 more")):
        stands_in(tmp_path, monkeypatch, says=[SOUND, FAULTY, *unknown])
        assert audit.main() == 1
        said, vulnerable = capsys.readouterr().err.splitlines()
        assert said.startswith(f"not audited: {named}: ")
        assert vulnerable.startswith("vulnerable: yarl 2.0.0")


@pytest.mark.parametrize(
    ("says", "errors"),
    [
        ([UNKNOWN], "No known vulnerabilities found"),
        ("", "requests.exceptions.ConnectionError: Failed to resolve 'pypi.org'"),
        ("", "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed"),
        ("", "requests.exceptions.ProxyError: Tunnel connection failed: 403 Forbidden"),
        ("", "requests.exceptions.SSLError: certificate verify failed: self-signed certificate in chain"),
        ("", "requests.exceptions.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_without_an_answer_that_is_said_and_no_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    says: Any,
    errors: str,
) -> None:
    """pip-audit itself takes a mirror that knows no package for one without vulnerabilities."""
    stands_in(tmp_path, monkeypatch, says=says, errors=errors)
    assert audit.main() == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("not audited: ")


def test_what_pip_audit_cannot_read_is_no_lack_of_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands_in(tmp_path, monkeypatch, errors="ERROR:pip_audit._cli:requirement yarl is not hashed")
    with pytest.raises(RuntimeError, match="not hashed"):
        audit.main()


def test_what_is_accepted_counts_again_after_its_day() -> None:
    accepted = {"CVE-2027-1": Accepted("we call nothing of it", until=date(2027, 6, 30))}
    assert audit.refused([FOUND], accepted, date(2027, 6, 30)) == []
    assert audit.refused([FOUND], accepted, date(2027, 7, 1)) == [FOUND]
    assert audit.refused([FOUND], {}, date(2027, 1, 1)) == [FOUND]


def test_every_requirements_file_is_audited(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def look(files: Sequence[Path]) -> list[dict[str, Any]]:
        seen.extend(files)
        return [SOUND]

    monkeypatch.setattr(audit, "pip_audit", look)
    assert audit.main() == 0
    assert all("--hash=sha256:" in file.read_text("utf-8") for file in seen)
    names = {file.name for file in seen}
    assert names >= {"requirements-dev.txt", "requirements-embedded.txt", "requirements-llm.txt"}
