"""One rate of a running environment, as a program of its own, so that it can run in another network.

python -m tests.load.speed requests|tokens URL
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import httpx

from tests.load import wrk
from tests.load.engines import MESSAGES
from tests.load.pairs import rate

CONNECTIONS, SECONDS = 32, 4
TOKENS, ANSWERS = 128, 3


def requests(url: str) -> float:
    """A call that costs its service next to nothing: gateway and network are what is measured."""
    body = json.dumps({"text": "The river is beautiful today.", "task": "language"})
    with tempfile.TemporaryDirectory(prefix="ai-semble-load-") as folder:
        measured = wrk.post(
            f"{url}/ai/nlp/process",
            body,
            connections=CONNECTIONS,
            seconds=SECONDS,
            folder=Path(folder),
        )
    if measured.errors:
        raise RuntimeError(f"{measured.errors} requests to {url} failed")
    return measured.rate


def tokens(url: str) -> float:
    """Of whole answers, one after another."""
    request = {"messages": MESSAGES, "max_tokens": TOKENS, "temperature": 0}
    with httpx.Client(base_url=url, timeout=300) as http:

        def answer(_: int) -> float:
            done = http.post("/ai/llm/completion", json=request).raise_for_status().json()
            return float(done["usage"]["completion_tokens"])

        return rate(answer, parallel=1, calls=ANSWERS)


if __name__ == "__main__":
    print(json.dumps({"requests": requests, "tokens": tokens}[sys.argv[1]](sys.argv[2])))
