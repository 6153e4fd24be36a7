"""What can go wrong with workflows and their runs."""

from __future__ import annotations

from ai_semble.errors import AiSembleError, Conflict, Forbidden, InvalidRequest, NotFound


class InvalidWorkflow(InvalidRequest):
    """The file is no workflow that could be run; `faults` has each mistake with its line, its code and a hint."""

    code, title = "invalid_workflow", "The workflow has mistakes"
    hint = "Correct the lines named in `faults`; docs/howto/run-workflows.md shows what a workflow says."


class InvalidInputs(InvalidRequest):
    """The inputs of a run are not those that its workflow declares."""

    code, title = "invalid_inputs", "The inputs do not fit the workflow"
    hint = "Correct the inputs named in `errors`; GET /workflows/{name} shows what the workflow declares."


class WorkflowNotFound(NotFound):
    """There is no workflow with this name, or not this version of it."""

    code, title = "workflow_not_found", "No such workflow"
    hint = "GET /workflows lists those that there are."


class WorkflowOfAnother(Forbidden):
    """The workflow was stored with another API key: this one may run it, but not replace or delete it."""

    code, title = "workflow_of_another", "The workflow belongs to another key"
    hint = "Store it under another name, or use a key with the scope `all-jobs`."


class RunNotFound(NotFound):
    """There is no such run: it never was, was forgotten after `workflows.retention_days`, or is another key's."""

    code, title = "run_not_found", "No such run"
    hint = "GET /workflows/{name}/runs lists those that there are."


class RunHasEnded(Conflict):
    """The run cannot be cancelled, since it has ended already."""

    code, title = "run_has_ended", "The run has ended"
    hint = "Delete it with `DELETE /runs/{id}`, or run it again with `POST /runs/{id}/rerun`."


class RunHasNotEnded(Conflict):
    """What was asked for needs a run that has ended, and this one has not."""

    code, title = "run_has_not_ended", "The run has not ended"
    hint = "Wait for its end with `GET /runs/{id}?wait_s=30`, or cancel it with `POST /runs/{id}/cancel`."


class NothingToRetry(Conflict):
    """Only a run that has failed or was cancelled can be tried again from where it stopped."""

    code, title = "nothing_to_retry", "There is nothing to try again"
    hint = "`POST /runs/{id}/rerun` runs all of it again."


class NoStepResult(Conflict):
    """The step, or this item of it, has no result: it has not ended, was skipped, or failed."""

    code, title = "no_step_result", "The step has no result"
    hint = "GET /runs/{id} shows how each step stands."


class StepNotFound(NotFound):
    """The workflow of this run has no such step."""

    code, title = "step_not_found", "No such step"
    hint = "GET /runs/{id} lists the steps of the run."


class BadReference(AiSembleError):
    """A reference could not be worked out with what the run had by then."""

    code, status, title = "bad_reference", 422, "A reference has no usable value"
    hint = (
        "Look at the results of the steps that it refers to, with GET /runs/{id}; then correct the workflow."
    )


class TooManyItems(AiSembleError):
    """`for_each` was given a longer list than it takes, or no list at all."""

    code, status, title = "bad_for_each", 422, "`for_each` cannot go over this"
    hint = "Give it a list of at most 1,000 items; tables are worked on as a whole by `data`."


class StepResultTooLarge(AiSembleError):
    """The result of a step, or of all steps of a run together, is longer than a run keeps."""

    code, status, title = "step_result_too_large", 413, "The result of the step is too large"
    hint = "Write it as a dataset with `output` of a `data` step, or ask for less: a `limit`, fewer columns."


class StepResultNotJson(AiSembleError):
    """The answer to a step is not JSON, so no other step could refer to it."""

    code, status, title = "step_result_not_json", 502, "The answer of the step is not JSON"
    hint = "Ask for JSON: a step does not take streams or pictures."


class StepTimedOut(AiSembleError):
    """A step took longer than its `timeout_s`, or its run longer than the run's."""

    code, status, title = "step_timed_out", 504, "The step took too long"
    hint = "Raise `timeout_s` in the workflow, or give the step less to do."


class StepCancelled(AiSembleError):
    """Somebody cancelled the job of a step, and not the run."""

    code, status, title = "step_cancelled", 409, "The job of the step was cancelled"
    hint = "Go on with the run from there: `POST /runs/{id}/retry`."


class SubrunFailed(AiSembleError):
    """The run of the workflow that the step calls has not succeeded."""

    code, status, title = "subrun_failed", 502, "The sub-workflow has not succeeded"
    hint = "GET /runs/{id} of that run, whose id is in `jobs` of the step, says why."


class TooDeep(AiSembleError):
    """Workflows call each other more than 5 deep; perhaps one calls itself."""

    code, status, title = "workflows_too_deep", 422, "Workflows call each other too deep"
    hint = "Look at the `parent` of the run, and its parent; one of them calls the next without end."


class HostNotListed(AiSembleError):
    """The host of an `http` step, or of a webhook, is not one of `workflows.http_hosts`."""

    code, status, title = "host_not_listed", 403, "The host is not on the list"
    hint = "The person who runs this environment can add it to `workflows.http_hosts`, as `example.com`."


class HttpStepFailed(AiSembleError):
    """The host of an `http` step answered with an error."""

    code, status, title = "http_step_failed", 424, "The host answered with an error"
    hint = "Look at what it says; `retry` of the step tries again."


class InvalidSchedule(InvalidRequest):
    """The cron expression or the time zone of a schedule cannot be used."""

    code, title = "invalid_schedule", "The schedule cannot be used"
    hint = "Write cron with five parts, as `30 2 * * mon-fri`, and a time zone as `Asia/Tokyo`."


class ScheduleNotFound(NotFound):
    """There is no such schedule, or it is another key's."""

    code, title = "schedule_not_found", "No such schedule"
    hint = "GET /schedules lists those that there are."


class ScheduleOfAnother(Conflict):
    """A schedule of another API key has this name."""

    code, title = "schedule_of_another", "The name is taken"
    hint = "Choose another name."


class WebhookNotFound(NotFound):
    """There is no such webhook, or it is another key's."""

    code, title = "webhook_not_found", "No such webhook"
    hint = "GET /webhooks lists those that there are."


class WebhookOfAnother(Conflict):
    """A webhook of another API key has this name."""

    code, title = "webhook_of_another", "The name is taken"
    hint = "Choose another name."
