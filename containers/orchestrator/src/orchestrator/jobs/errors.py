"""What can go wrong with jobs."""

from __future__ import annotations

from ai_semble.errors import AiSembleError, Conflict, InvalidRequest, NotFound


class JobNotFound(NotFound):
    """There is no such job: it never was, was forgotten after `jobs.retention_days`, or is another key's."""

    code, title = "job_not_found", "No such job"
    hint = "GET /jobs lists those that there are."


class JobHasEnded(Conflict):
    """The job cannot be cancelled, since it has succeeded or failed already."""

    code, title = "job_has_ended", "The job has ended"
    hint = "Delete the job and its result with `DELETE /jobs/{id}?forget=true`."


class JobHasNotEnded(Conflict):
    """What was asked for needs a job that has ended, and this one has not."""

    code, title = "job_has_not_ended", "The job has not ended"
    hint = "Wait for its end with `GET /jobs/{id}?wait_s=30`, or cancel it with `DELETE /jobs/{id}`."


class JobHasNoResult(Conflict):
    """The job was cancelled, so there is no result."""

    code, title = "job_has_no_result", "The job has no result"
    hint = "Submit the call again."


class IdempotencyKeyReused(InvalidRequest):
    """The same Idempotency-Key was sent with another request before."""

    code, title = "idempotency_key_reused", "The idempotency key belongs to another request"
    hint = "Use a new key for each request, and the same key only to repeat one."


class BadIdempotencyKey(InvalidRequest):
    """The Idempotency-Key is too long, or has other than printable ASCII characters."""

    code, title = "bad_idempotency_key", "The idempotency key cannot be used"
    hint = "Send 1 to 255 printable ASCII characters; a UUID is a good key."


class ServiceRefused(AiSembleError):
    """A service answered a job's call with an error that is not a problem document."""

    code, status, title = "service_refused", 502, "The service answered with an error"
    hint = "`./scripts/deploy.sh logs` shows what the service says about it."


class JobBrokenOff(AiSembleError):
    """The orchestrator died several times while the job ran; the job may be what kills it."""

    code, status, title = "job_broken_off", 500, "The job was broken off too often"
    hint = "Look for the reason with `./scripts/deploy.sh logs`, then submit the call again."


class StateFolderTaken(AiSembleError):
    """Another orchestrator works on the jobs in this state folder."""

    code, status, title = "state_folder_taken", 500, "The state folder is in use"
    hint = "Stop the other orchestrator, or give this one another `environment.name`."
