"""What the end of a job means to the one who waits for it."""

from __future__ import annotations

from ai_semble_client.answers.jobs import Job
from ai_semble_client.answers.workflows import Run
from ai_semble_client.errors import JobCancelled, WaitEnded, of_problem


def check_outcome(job: Job) -> None:
    """Nothing for a job that has succeeded; otherwise raises why it has not."""
    match job.state:
        case "succeeded":
            return
        case "cancelled":
            raise JobCancelled(f"The job {job.id} was cancelled", "Submit the call again.")
        case _:
            raise of_problem(job.problem or {"status": 500, "code": "internal_error", "detail": job.reason})


def overdue(job: Job) -> WaitEnded:
    """The error for one who will not wait any longer."""
    return WaitEnded(
        f"The job {job.id} is still {job.state}: {job.reason}", f"It goes on: ai-semble jobs watch {job.id}"
    )


def run_overdue(run: Run) -> WaitEnded:
    """The same for a run."""
    return WaitEnded(
        f"The run {run.id} is still {run.state}: {run.reason}",
        f"It goes on: ai-semble workflow watch {run.id}",
    )
