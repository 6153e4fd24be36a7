"""How many jobs are in which state, kept up to date change by change, and the metrics of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ai_semble.metrics import Metrics
from ai_semble.schemas.jobs import JobReason, JobState
from orchestrator.jobs.machine import PENDING
from orchestrator.jobs.records import Change, JobRecord

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)


class Tally:
    """`count` gives the numbers; `note` and `forget` keep them."""

    def __init__(self, metrics: Metrics) -> None:
        self._counts: Counter[tuple[str, JobState]] = Counter()
        self._jobs = metrics.gauge("ai_semble_jobs", "Jobs by state.", ["state"])
        self._submitted = metrics.counter("ai_semble_jobs_submitted", "Jobs accepted.", ["upstream"])
        self._ended = metrics.counter("ai_semble_jobs_ended", "Jobs that ended.", ["upstream", "state"])
        self._retried = metrics.counter(
            "ai_semble_jobs_retried", "Attempts put off to a later one.", ["upstream", "reason"]
        )
        self._recovered = metrics.counter(
            "ai_semble_jobs_recovered", "Jobs started again after this process had died."
        ).labels()
        self._wait = metrics.histogram(
            "ai_semble_jobs_queue_wait_seconds",
            "Time from acceptance to the first attempt.",
            ["upstream"],
            buckets=_BUCKETS,
        )
        self._run = metrics.histogram(
            "ai_semble_jobs_run_seconds", "Time of the last attempt.", ["upstream"], buckets=_BUCKETS
        )

    def load(self, counts: Mapping[tuple[str, JobState], int]) -> None:
        self._counts = Counter(counts)
        for state in JobState:
            self._show(state)

    def count(self, service: str, *states: JobState) -> int:
        return sum(self._counts[service, state] for state in states)

    def pending(self) -> int:
        """Jobs that wait, for a worker or for another try."""
        return sum(number for (_, state), number in self._counts.items() if state in PENDING)

    def note(self, change: Change) -> None:
        job = change.job
        if change.before is None:
            self._submitted.labels(job.service).inc()
        else:
            self._counts[job.service, change.before] -= 1
            self._show(change.before)
        self._counts[job.service, job.state] += 1
        self._show(job.state)
        self._measure(change.before, job)

    def forget(self, job: JobRecord) -> None:
        self._counts[job.service, job.state] -= 1
        self._show(job.state)

    def _measure(self, before: JobState | None, job: JobRecord) -> None:
        if job.reason is JobReason.RESTARTED:
            self._recovered.inc()
        if job.state is JobState.RUNNING and job.attempts == 1 and job.started_at:
            self._wait.labels(job.service).observe(max(0, job.started_at - job.created_at))
        if job.state is JobState.WAITING:
            self._retried.labels(job.service, job.reason).inc()
        if job.state.ended:
            self._ended.labels(job.service, job.state).inc()
        if job.ended_at and job.started_at and before is JobState.RUNNING:
            self._run.labels(job.service).observe(max(0, job.ended_at - job.started_at))

    def _show(self, state: JobState) -> None:
        number = sum(count for (_, each), count in self._counts.items() if each is state)
        self._jobs.labels(state).set(number)
