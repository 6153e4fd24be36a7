"""What no fault may take away: a job's result, the rows of a dataset, the models."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.hosts.environment import Installed, reachable
from tests.hosts.ssh import HostError

HEALED_WITHIN_S = 120
ROWS = "id,value\n1,one\n2,two\n3,three\n"
DATASET = "/data/datasets/kept"
JOB = {"Prefer": "respond-async"}


def eventually(holds: Callable[[], bool], what: str, within_s: float = HEALED_WITHIN_S) -> None:
    """Wait until something holds; that nothing answers yet means that it does not."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except (httpx.HTTPError, HostError):
            pass
        time.sleep(0.2)
    raise AssertionError(f"not within {within_s} s: {what}")


def is_well(running: Installed, api: httpx.Client) -> bool:
    """Every service answers, and systemd knows it."""
    return (
        bool(api.get("/health", timeout=10).json()["status"] == "ready")
        and running.host.run("systemctl --user is-active ai-semble.target", check=False).returncode == 0
    )


def accepted(api: httpx.Client, number: int, path: str, body: dict[str, Any]) -> list[str]:
    """So many jobs of one kind that were answered with 202."""
    answers = [api.post(path, json=body, headers=JOB) for _ in range(number)]
    return [str(answer.raise_for_status().json()["id"]) for answer in answers]


def long_jobs(api: httpx.Client, number: int) -> list[str]:
    """Jobs that take seconds, one of which surely runs while others wait."""
    return accepted(api, number, "/ai/llm/completion", {"prompt": "Tell me of a river.", "max_tokens": 160})


@dataclass
class Belongings:
    """What was there before a fault."""

    running: Installed
    job: str
    result: Any
    jobs: list[str] = field(default_factory=list)

    def must_finish(self, jobs: Sequence[str]) -> None:
        """Jobs that were accepted before the fault."""
        self.jobs += jobs

    def assert_kept(self) -> None:
        """After the fault: well again by itself, and nothing is lost."""
        with reachable(self.running.host) as url, httpx.Client(base_url=url, timeout=60) as api:
            eventually(lambda: is_well(self.running, api), "all is well by itself")
            assert api.get(f"/jobs/{self.job}/result").json() == self.result
            assert api.get(f"{DATASET}/content").text == ROWS
            eventually(lambda: not unfinished(api, self.jobs), "accepted jobs end")
            ended = [record_of(api, job) for job in self.jobs]
            lost = [job for job in ended if job["state"] != "succeeded"]
            assert not lost, f"of {len(ended)} accepted jobs these are lost: {lost}"
        self.running.deploy("models", "verify")


def unfinished(api: httpx.Client, jobs: Sequence[str]) -> list[str]:
    return [job for job in jobs if not record_of(api, job)["ended_at"]]


def record_of(api: httpx.Client, job: str) -> dict[str, Any]:
    record: dict[str, Any] = api.get(f"/jobs/{job}").raise_for_status().json()
    return record


def leave(running: Installed) -> Belongings:
    """Make what must survive."""
    with reachable(running.host) as url, httpx.Client(base_url=url, timeout=60) as api:
        eventually(lambda: is_well(running, api), "all is well before")
        api.put(
            f"{DATASET}?replace=true", content=ROWS, headers={"Content-Type": "text/csv"}
        ).raise_for_status()
        sentence = {"text": "This is a great product!", "task": "sentiment"}
        job = accepted(api, 1, "/ai/nlp/process", sentence)[0]
        eventually(lambda: not unfinished(api, [job]), "a short job ends")
        return Belongings(running, job, api.get(f"/jobs/{job}/result").raise_for_status().json())
