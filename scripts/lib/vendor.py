"""Copies what checks workflow files into the client, which imports nothing of ours and checks without a server.

.venv/bin/python scripts/lib/vendor.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CONTAINERS = Path("containers")
WORKFLOWS = CONTAINERS / "orchestrator" / "src" / "orchestrator" / "workflows"
TARGET = Path("clients") / "python" / "src" / "ai_semble_client" / "flow"
NOTE = "# Copied by scripts/lib/vendor.py; do not edit.\n"
SOURCES = {
    "definition.py": CONTAINERS / "base" / "src" / "ai_semble" / "schemas" / "workflows.py",
    **{
        name: WORKFLOWS / name
        for name in (
            "faults.py",
            "reading.py",
            "expressions.py",
            "kinds.py",
            "graph.py",
            "checking.py",
        )
    },
}
IMPORTS = {
    "ai_semble.schemas.workflows": "ai_semble_client.flow.definition",
    "orchestrator.workflows": "ai_semble_client.flow",
}


def main() -> int:
    copies = {name: copied(source) for name, source in SOURCES.items()}
    stale = [name for name, text in copies.items() if read(REPOSITORY / TARGET / name) != text]
    if "--check" in sys.argv:
        if stale:
            print(f"stale: {', '.join(stale)}; run: .venv/bin/python scripts/lib/vendor.py", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (REPOSITORY / TARGET / name).write_text(copies[name], encoding="utf-8")
        print(f"written: {TARGET / name}", file=sys.stderr)
    return 0


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def copied(source: Path) -> str:
    """The module as the client has it."""
    text = read(REPOSITORY / source)
    for theirs, ours in IMPORTS.items():
        text = text.replace(f"from {theirs}", f"from {ours}")
    return NOTE + text


if __name__ == "__main__":
    sys.exit(main())
