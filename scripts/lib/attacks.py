"""Writes the table of security/README.md: threat, control, file, test, and where the test passed.

.venv/bin/python scripts/lib/attacks.py [--check]

The rows are the tests marked with `attack` (tests/support/attacks.py); where they passed is what the last runs with
`--record-attacks` noted in security/passed.json.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.support.attacks import read_passed  # noqa: E402 - it lies beside this folder

PAGE = REPOSITORY / "security" / "README.md"
BEGIN, END = "<!-- attacks: begin (scripts/lib/attacks.py) -->", "<!-- attacks: end -->"
HEAD = ("| threat | control | where | test | passed in |", "| --- | --- | --- | --- | --- |")
OTHERS = "Parts on their own"
# Folders whose files are each a subject of the table, named by its first line.
SUBJECTS = ("attacks", "machine", "vm", "access")


@dataclass(frozen=True)
class Attack:
    """One row. `test` is `tests/attacks/test_pages.py::test_...`."""

    subject: str
    threat: str
    control: str
    file: str
    test: str


def main() -> int:
    before = PAGE.read_text("utf-8")
    after = with_table(before, table(attacks(), read_passed()))
    if "--check" in sys.argv:
        if before != after:
            print("stale: security/README.md; run: .venv/bin/python scripts/lib/attacks.py", file=sys.stderr)
        return int(before != after)
    PAGE.write_text(after, encoding="utf-8")
    return 0


def attacks() -> list[Attack]:
    """Every marked test, those of tests/attacks first."""
    files = sorted(
        path
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        if "@attack(" in path.read_text("utf-8") and ".venv" not in path.as_posix()
    )
    files.sort(key=lambda path: path.parent.name != "attacks")
    return [attack for path in files for attack in attacks_in(path.relative_to(REPOSITORY))]


def attacks_in(path: Path) -> Iterator[Attack]:
    module = import_module(".".join(path.with_suffix("").parts))
    named = (module.__doc__ or "").partition("\n")[0].rstrip(".")
    subject = named if path.parent.name in SUBJECTS else OTHERS
    for name, test in vars(module).items():
        marks = getattr(test, "pytestmark", ()) if name.startswith("test_") else ()
        for mark in marks:
            if mark.name == "attack":
                yield Attack(subject, **mark.kwargs, test=f"{path.as_posix()}::{name}")


def table(rows: Sequence[Attack], passed: Mapping[str, Sequence[str]]) -> str:
    """One table a subject."""
    lines = [f"{len(rows)} attacks, each a test; a test often tries many variants.\n"]
    for subject in dict.fromkeys(row.subject for row in rows):
        lines += [
            f"### {subject}\n",
            "| threat | control | where | test | passed in |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [line_of(row, passed.get(row.test, ())) for row in rows if row.subject == subject]
        lines.append("")
    return "\n".join(lines)


def line_of(row: Attack, tiers: Sequence[str]) -> str:
    path, _, name = row.test.partition("::")
    sentence = name.removeprefix("test_").replace("_", " ")
    where = f"[{Path(row.file).name}](../{row.file})"
    return (
        f"| {cell(row.threat)} | {cell(row.control)} | {where} | [{sentence}](../{path}) "
        f"| {', '.join(tiers) or 'not yet'} |"
    )


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def with_table(page: str, made: str) -> str:
    start, _, rest = page.partition(BEGIN)
    _, _, end = rest.partition(END)
    return f"{start}{BEGIN}\n\n{made}\n{END}{end}"


if __name__ == "__main__":
    raise SystemExit(main())
