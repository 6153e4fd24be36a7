"""Two rates measured in turns, so that a noisy neighbour disturbs both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """The best rate of each side, and the median of the ratios of neighbouring turns."""

    ours: float
    theirs: float
    ratio: float


def in_turns(ours: Callable[[], float], theirs: Callable[[], float], turns: int) -> Pair:
    """Measure ours, theirs, ours, theirs...; each call gives a rate (more is better)."""
    ours(), theirs()  # warm
    measured = [(ours(), theirs()) if turn % 2 else (theirs(), ours())[::-1] for turn in range(turns)]
    ratio = statistics.median(mine / other for mine, other in measured)
    return Pair(max(mine for mine, _ in measured), max(other for _, other in measured), ratio)


def rate(work: Callable[[int], float], *, parallel: int, calls: int) -> float:
    """Units a second of `calls` calls, `parallel` at once; a call returns how many units it did."""
    with ThreadPoolExecutor(parallel) as pool:
        started = time.perf_counter()
        units = sum(pool.map(work, range(calls)))
        return units / (time.perf_counter() - started)
