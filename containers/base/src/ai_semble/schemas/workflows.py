"""What a workflow file says: inputs, steps, outputs. How runs of it look is in `runs.py`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

WORKFLOW_NAME = r"^[a-z][a-z0-9-]{0,62}$"
STEP_NAME = r"^[a-z][a-z0-9_]{0,62}$"
# As in `data_parts`.
DATASET_NAME = r"^[^\W_A-Z][\w-]*$"
MOST_STEPS = 200
# What writes JSON gives up a little later.
DEEPEST = 200
MOST_PARALLEL = 100
DAY_S = 86_400
# What a reference can be the whole of, whatever the field itself takes.
_REFERENCE = r"^\s*\$\{\{[\s\S]+\}\}\s*$"

WorkflowName = Annotated[str, Field(pattern=WORKFLOW_NAME, examples=["review-report"])]
StepName = Annotated[
    str,
    Field(
        pattern=STEP_NAME,
        description="Lower-case letters, digits and `_`; what references call it.",
        examples=["sentiment"],
    ),
]
Seconds = Annotated[float, Field(gt=0, le=30 * DAY_S)]


def _bounded(values: dict[str, Any]) -> dict[str, Any]:
    if too_deep(values):
        raise PydanticCustomError("too_deep", "Values are nested more than {most} deep", {"most": DEEPEST})
    return values


def too_deep(value: Any, left: int = DEEPEST) -> bool:
    """Whether values are nested more than DEEPEST deep."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return left == 0 or any(too_deep(item, left - 1) for item in inner)


# Of a run: by name, as the workflow declares them.
InputValues = Annotated[dict[str, Any], AfterValidator(_bounded)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StepKind(StrEnum):
    """What a step calls."""

    LLM = "llm"
    VISION = "vision"
    NLP = "nlp"
    DATA = "data"
    HTTP = "http"
    WORKFLOW = "workflow"


class InputType(StrEnum):
    """What an input may be."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ARRAY = "array"
    OBJECT = "object"
    DATASET = "dataset"


class Input(_Part):
    """One input of a workflow."""

    type: InputType = Field(
        description="`dataset` is the name of one; the others are the types of JSON.", examples=["string"]
    )
    description: str = Field("", max_length=1000, description="What it is for.")
    default: Any = Field(
        None, description="Taken when a run does not give it. Without a default it has to be given."
    )
    enum: list[Any] | None = Field(None, min_length=1, max_length=1000, description="The only values.")
    minimum: float | None = Field(None, description="For `integer` and `number`: the smallest value.")
    maximum: float | None = Field(None, description="For `integer` and `number`: the largest value.")

    @property
    def is_required(self) -> bool:
        return "default" not in self.model_fields_set


class Retry(_Part):
    """How often a call that failed is made again, and when."""

    attempts: int = Field(3, ge=1, le=20, description="How often it is tried in all.")
    delay_s: float = Field(1, ge=0, le=DAY_S, description="Wait before the second attempt.")
    factor: float = Field(2, ge=1, le=10, description="Each further wait is so many times as long.")
    max_delay_s: float = Field(300, ge=0, le=DAY_S, description="The longest wait.")

    def wait_after(self, attempts: int) -> float:
        """Seconds to wait after so many attempts."""
        return min(self.max_delay_s, self.delay_s * self.factor ** (attempts - 1))


class HttpCall(_Part):
    """A request to a host of `workflows.http_hosts`."""

    url: str = Field(max_length=8192, description="Where to.", examples=["https://example.com/rates.json"])
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field("GET", description="How.")
    headers: dict[str, str] = Field({}, max_length=50, description="Besides those that HTTP needs.")
    json_body: Any = Field(None, alias="json", description="A body, sent as JSON.")


class WorkflowCall(_Part):
    """A run of another workflow; its outputs are the result."""

    name: WorkflowName = Field(description="Which.")
    version: int | None = Field(None, ge=1, le=2**31, description="Which version; the newest by default.")
    inputs: dict[str, Any] | str = Field({}, description="Its inputs.")


Request = dict[str, Any]


class Step(_Part):
    """One step: one call, of one of six kinds, and when and how it is made."""

    description: str = Field("", max_length=1000, description="What it is for.")
    llm: Request | None = Field(None, description="The body of `POST /ai/llm/completion`.")
    vision: Request | None = Field(None, description="The body of `POST /ai/vision/analyze`.")
    nlp: Request | None = Field(None, description="The body of `POST /ai/nlp/process`.")
    data: Request | None = Field(
        None, description="The body of `POST /data/process`; its `output` writes a dataset."
    )
    http: HttpCall | None = Field(None, description="A request to another host.")
    workflow: WorkflowCall | None = Field(None, description="A run of another workflow.")
    when: bool | Annotated[str, Field(pattern=_REFERENCE)] = Field(
        True,
        description="The step is skipped when this is false, null, or empty. With it, it alone decides; without "
        "it, a step is also skipped when one that it needs has no result.",
        examples=["${{ inputs.translate }}"],
    )
    for_each: list[Any] | Annotated[str, Field(pattern=_REFERENCE)] | None = Field(
        None,
        description="Make the call for each item of this list; `item` and `index` are known then. `result` is the "
        "list of all results, and `items` says of each `item` its `state` and `result`.",
        examples=["${{ inputs.files }}"],
    )
    parallel: int = Field(4, ge=1, le=MOST_PARALLEL, description="With `for_each`: most calls at once.")
    retry: Retry | None = Field(
        None,
        description="For a call that failed. That a service is busy or down is waited for in any case, as "
        "`jobs.retry_for_s` says.",
    )
    timeout_s: Seconds | None = Field(None, description="Longest time of one attempt, waiting included.")
    on_failure: str = Field(
        "fail",
        pattern=STEP_NAME,
        description="`fail`: the run fails. `continue`: it goes on without this result. The name of a step: it "
        "goes on, and that step, which is run in no other case, is run then.",
        examples=["continue"],
    )
    after: list[StepName] = Field(
        [],
        max_length=MOST_STEPS,
        description="Steps that have to be over first. Those that a step refers to always have to be.",
    )

    @model_validator(mode="after")
    def _calls_one_thing(self) -> Self:
        given = [kind.value for kind in StepKind if getattr(self, kind.value) is not None]
        if len(given) != 1:
            kinds = ", ".join(f"`{kind}`" for kind in StepKind)
            found = " and ".join(f"`{kind}`" for kind in given) or "none"
            raise PydanticCustomError(
                "one_call", "a step has exactly one of {kinds}; this one has {found}", _words(kinds, found)
            )
        return self

    @property
    def kind(self) -> StepKind:
        return next(kind for kind in StepKind if getattr(self, kind.value) is not None)

    @property
    def handler(self) -> str | None:
        """The step that is run when this one fails."""
        return None if self.on_failure in ("fail", "continue") else self.on_failure


def _words(kinds: str, found: str) -> dict[str, Any]:
    return {"kinds": kinds, "found": found}


class WorkflowDefinition(_Part):
    """A workflow: a graph of steps. References `${{ ... }}` are JMESPath over `inputs`, `steps` and `run`."""

    name: WorkflowName | None = Field(
        None, description="Has to be the name that it is stored under, if given."
    )
    description: str = Field("", max_length=4000, description="What it is for.")
    inputs: dict[StepName, Input] = Field({}, max_length=100, description="What a run is given.")
    steps: dict[StepName, Step] = Field(
        min_length=1,
        max_length=MOST_STEPS,
        description="What is done. A step begins as soon as all that it refers to is there.",
    )
    outputs: dict[StepName, Any] = Field({}, max_length=100, description="What a run gives back.")
    timeout_s: Seconds = Field(DAY_S, description="Longest time of a run.")


def workflow_schema() -> dict[str, Any]:
    """JSON Schema of a workflow file, for editors and for those who write such files by program."""
    schema = WorkflowDefinition.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
