"""Measures, prints a table with ratios, and keeps it as Markdown and as a chart."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.load import data, engines, gateway, jobs, memory, pod
from tests.load.report import Row, chart, machine, markdown, save, show
from tests.support.models import models_directory
from tests.support.worlds import world

SUBJECTS = ("gateway", "jobs", "llm", "vision", "nlp", "data", "memory", "pod")
# Without a world of its own here, or with another one.
APART = {"gateway", "jobs", "pod"}
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="ai-semble-load-") as folder:
        rows = list(measure(Path(folder), arguments.subjects or list(SUBJECTS), quick=arguments.quick))
    show(rows)
    save(rows, RESULTS)
    (RESULTS / "performance.md").write_text(f"Measured on {machine()}.\n\n{markdown(rows)}", encoding="utf-8")
    chart(rows, RESULTS / "performance.png")
    missed = [row for row in rows if row.met is False]
    print(f"{len(rows)} figures, {len(missed)} targets missed; table and chart in {RESULTS.name}/")
    return 1 if missed and arguments.strict else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run-tests.sh load", description=__doc__)
    parser.add_argument("subjects", nargs="*", choices=[*SUBJECTS, []], help="all by default")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, less exact")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a target is missed")
    return parser.parse_args()


def measure(folder: Path, subjects: list[str], *, quick: bool) -> Iterator[Row]:
    if "gateway" in subjects:
        yield from gateway.measure(folder, quick=quick)
    if "jobs" in subjects:
        yield from jobs.measure(folder, quick=quick)
    # A host is set up for it, which takes minutes.
    if "pod" in subjects and not quick:
        yield from pod.measure(folder / "pod")
    if set(subjects) - APART:
        with world("embedded", folder / "world", models_directory()) as made:
            if "memory" in subjects:  # first, while nothing has been used
                yield from memory.measure(made)
            if "llm" in subjects:
                yield from engines.llm(made, quick=quick)
            if "vision" in subjects:
                yield from engines.vision(made, quick=quick)
            if "nlp" in subjects:
                yield from engines.nlp(made, quick=quick)
            if "data" in subjects:
                yield from data.measure(made, folder, quick=quick)


if __name__ == "__main__":
    raise SystemExit(main())
