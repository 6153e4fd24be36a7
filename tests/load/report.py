"""Findings of the load tests: rows with ratios, as a table on the terminal, as Markdown and as a chart."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One comparison. `ratio` is ours against the peer's; `target` is what it should be, in words."""

    subject: str
    what: str
    ours: float
    unit: str
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        return {True: "met", False: "missed", None: ""}[self.met]


def at_least(
    subject: str, what: str, ours: float, unit: str, peer: str, theirs: float, least: float | None
) -> Row:
    """More is better: the ratio ours/theirs should be `least` or more."""
    ratio = ours / theirs if theirs else float("inf")
    target = f">= {least:g}x" if least else ""
    return Row(subject, what, ours, unit, peer, theirs, ratio, target, ratio >= least if least else None)


def bounded(subject: str, what: str, ours: float, unit: str, *, low: float = 0, high: float = 0) -> Row:
    """A figure of its own that should stay over `low` or under `high`."""
    if low:
        return Row(subject, what, ours, unit, target=f">= {low:g} {unit}", met=ours >= low)
    return Row(subject, what, ours, unit, target=f"< {high:g} {unit}", met=ours < high)


def figure(value: float | None) -> str:
    """Three meaningful digits, thousands apart."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show(rows: Sequence[Row]) -> None:
    table = Table("subject", "what", "ours", "unit", "peer", "theirs", "ratio", "target", "")
    for row in rows:
        table.add_row(*cells(row))
    Console(width=160).print(table)


def cells(row: Row) -> tuple[str, ...]:
    return (
        row.subject,
        row.what,
        figure(row.ours),
        row.unit,
        row.peer,
        figure(row.theirs),
        figure(row.ratio),
        row.target,
        row.verdict,
    )


def machine() -> str:
    """What it was measured on, without a name of the machine."""
    processor = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores ({processor}), {memory:.0f} GiB, Python {platform.python_version()}"


def save(rows: Sequence[Row], folder: Path) -> None:
    """results.json, for the next run's comparison and for the chart."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine(), "rows": [asdict(row) for row in rows]}
    (folder / "results.json").write_text(json.dumps(document, indent=1), encoding="utf-8")


def markdown(rows: Sequence[Row]) -> str:
    """The table of docs/reference/performance.md."""
    lines = [
        "| subject | what | ours | unit | peer | theirs | ratio | target | |",
        "| --- | --- | ---: | --- | --- | ---: | ---: | --- | --- |",
    ]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def chart(rows: Sequence[Row], path: Path) -> None:
    """Ratios as bars, one a comparison, with the line of equality."""
    import matplotlib as mpl  # noqa: PLC0415 - only the chart pays for it

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    compared = [row for row in rows if row.ratio is not None][::-1]
    height = 0.45 * len(compared) + 1.2
    drawing, axes = pyplot.subplots(figsize=(9, height), layout="constrained")
    colours = ["#b3261e" if row.met is False else "#2e7d5b" for row in compared]
    names = [f"{row.what} vs {row.peer}" for row in compared]
    ratios = [row.ratio or 0 for row in compared]
    bars = axes.barh(names, ratios, color=colours, height=0.6)
    axes.bar_label(bars, labels=[f"{ratio:.2f}x" for ratio in ratios], padding=4, fontsize=9)
    axes.axvline(1, color="#555", linewidth=1, linestyle="--")
    axes.set_xscale("log")
    axes.set_xlim(min([0.1, *ratios]) * 0.8, max([1.0, *ratios]) * 2)
    axes.set_xlabel("ours / theirs (log scale; right of the dashed line Ai-semble does more)")
    axes.spines[["top", "right"]].set_visible(False)
    drawing.savefig(path, dpi=130)
    pyplot.close(drawing)
