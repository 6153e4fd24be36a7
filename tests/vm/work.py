"""What confinement must not hinder: a call of each kind, what fetches, what is written, a job."""

from __future__ import annotations

import base64

import httpx

from tests.hosts.environment import Installed, reachable
from tests.machine.belongings import accepted, eventually, unfinished
from tests.support.pictures import encode, photo

# Of one answer; an emulated processor may have much else to do.
ANSWERED_WITHIN_S = 300


def work(running: Installed, files: str) -> None:
    """Everything answers well. `files` is the address of a folder in which a picture lies."""
    picture = base64.b64encode(encode(photo("chelsea"))).decode()
    calls = (
        ("/ai/llm/completion", {"prompt": "Hello, how are you?", "max_tokens": 4}),
        ("/ai/vision/analyze", {"image": picture, "task": "classify"}),
        ("/ai/vision/analyze", {"image_url": f"{files}/image.jpg", "task": "classify"}),
        ("/ai/nlp/process", {"text": "This is a great product!", "task": "sentiment"}),
        ("/data/process", {"operation": "analyze", "data": {"records": [{"id": 1, "value": 100}]}}),
    )
    with reachable(running.host) as url, httpx.Client(base_url=url, timeout=ANSWERED_WITHIN_S) as api:
        assert api.get("/health").json()["status"] == "ready"
        for path, body in calls:
            api.post(path, json=body).raise_for_status()
        rows, kind = "id\n1\n", {"Content-Type": "text/csv"}
        api.put("/data/datasets/worked?replace=true", content=rows, headers=kind).raise_for_status()
        jobs = accepted(api, 1, "/ai/nlp/process", {"text": "What a pity.", "task": "sentiment"})
        eventually(lambda: not unfinished(api, jobs), "the job ends", ANSWERED_WITHIN_S)
