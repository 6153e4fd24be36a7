"""wrk, the HTTP load generator, for POST requests."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.load.processes import CLIENT_CORE

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Measured:
    """Requests a second, median latency in seconds, and how many answers were errors."""

    rate: float
    p50_s: float
    errors: int


def post(url: str, body: str, *, connections: int, seconds: int, folder: Path, bearer: str = "") -> Measured:
    """Send the same POST over and over on so many connections."""
    script = folder / "post.lua"
    authorization = f'wrk.headers["Authorization"] = "Bearer {bearer}"\n' if bearer else ""
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = [==[{body}]==]\n'
        f'wrk.headers["Content-Type"] = "application/json"\n{authorization}',
        encoding="utf-8",
    )
    command = ["taskset", "-c", str(CLIENT_CORE), "wrk", "--latency", "-t1", f"-c{connections}"]
    # An answer that a busy machine delays is slow, not an error.
    command += [f"-d{seconds}s", "--timeout", "30s", "-s", str(script), url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Measured(_rate(output), _median(output), _errors(output))


def _rate(output: str) -> float:
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])  # type: ignore[index]


def _median(output: str) -> float:
    found = re.search(r"50%\s+([\d.]+)(us|ms|s|m)\b", output)
    return float(found[1]) * _UNITS[found[2]]  # type: ignore[index]


def _errors(output: str) -> int:
    statuses = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    return int(statuses[1] if statuses else 0) + sum(int(n) for n in (sockets.groups() if sockets else ()))
