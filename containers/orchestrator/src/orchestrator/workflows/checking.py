"""From a file to a workflow: everything that is wrong with it, each with its line. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ai_semble.schemas.workflows import Input, InputType, Step, StepKind, WorkflowDefinition
from orchestrator.workflows import expressions
from orchestrator.workflows.expressions import BadExpression, Expression, Mention
from orchestrator.workflows.faults import Fault, Path, Places, nearest
from orchestrator.workflows.graph import Cycle, Graph, call_of, graph_of
from orchestrator.workflows.kinds import wrong
from orchestrator.workflows.reading import Format, Source, Unreadable, read

RequestCheck = Callable[[StepKind, Mapping[str, Any], Path, Places], Iterator[Fault]]
_SERVICES = (StepKind.LLM, StepKind.VISION, StepKind.NLP, StepKind.DATA)
_MOST_FAULTS = 50
_RESERVED = ("fail", "continue")
_PER_ITEM = ("item", "index")


@dataclass(frozen=True)
class Checked:
    """A workflow that can be run, as far as can be known before."""

    definition: WorkflowDefinition
    document: dict[str, Any]
    graph: Graph


class Faulty(Exception):
    """The file is no workflow; `faults` in the order of their lines."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = sorted(faults, key=lambda fault: (fault.line, fault.column))[:_MOST_FAULTS]


def check(text: bytes, form: Format, name: str | None = None, look_at: RequestCheck | None = None) -> Checked:
    """`name` is the one that it is to be stored under; `look_at` tells what is wrong with the request of a step, as
    the service would. Raises Faulty.
    """
    try:
        source = read(text, form)
    except Unreadable as error:
        raise Faulty([error.fault]) from error
    definition = _definition(source)
    faults = list(_faults(definition, source.places, name, look_at))
    if faults:
        raise Faulty(faults)
    try:
        return Checked(definition, source.document, graph_of(definition))
    except Cycle as error:
        message = f"these steps wait for each other: {error}"
        raise Faulty(
            [source.places.fault(("steps", error.steps[0]), "cycle", message, "Leave out one reference.")]
        ) from error


def _definition(source: Source) -> WorkflowDefinition:
    if not isinstance(source.document, dict):
        raise Faulty(
            [source.places.fault((), "wrong_value", "a workflow is an object with `steps`", _BEGINNING)]
        )
    try:
        return WorkflowDefinition.model_validate(source.document)
    except ValidationError as error:
        items = error.errors(include_url=False, include_input=False)
        raise Faulty([_shape_fault(item, source) for item in items]) from error


_BEGINNING = "Begin with `steps:`; configs/workflows has examples."


def _shape_fault(item: Any, source: Source) -> Fault:
    path = _written(tuple(item["loc"]), source.document)
    name = str(path[-1]) if path else ""
    if item["type"] == "extra_forbidden":
        known = nearest(name, _known_fields(path[:-1]))
        return source.places.fault(path, "unknown_field", f"there is no field `{name}` here", known)
    if item["type"] == "missing":
        return source.places.fault(path, "missing_field", f"the field `{name}` is missing")
    if path[-1:] == ("[key]",):
        hint = "A name has lower-case letters, digits and `_`, and begins with a letter."
        return source.places.fault(path[:-1], "wrong_name", f"`{path[-2]}` cannot be a name", hint)
    message = item["msg"]
    if item["type"] == "string_pattern_mismatch" and name in ("when", "for_each"):
        message = "this has to be one reference, `${{ ... }}`"
    return source.places.fault(path, "wrong_value", message)


def _written(loc: Path, document: Any) -> Path:
    """The path as it stands in the file, without pydantic's names of alternatives."""
    value, path = document, []
    for number, part in enumerate(loc):
        is_last = number == len(loc) - 1
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            if not (is_last and isinstance(value, dict)) and part != "[key]":
                continue
        path.append(part)
    return tuple(path)


def _known_fields(path: Path) -> list[str]:
    if len(path) == 0:
        return list(WorkflowDefinition.model_fields)
    if path[0] == "steps" and len(path) == 2:
        return list(Step.model_fields)
    if path[0] == "inputs" and len(path) == 2:
        return list(Input.model_fields)
    field = Step.model_fields.get(str(path[2])) if len(path) == 3 and path[0] == "steps" else None
    inner = [part for part in getattr(field and field.annotation, "__args__", ()) if part is not None]
    return [
        field.alias or name
        for part in inner
        if hasattr(part, "model_fields")
        for name, field in part.model_fields.items()
    ]


def _faults(
    definition: WorkflowDefinition, places: Places, name: str | None, look_at: RequestCheck | None
) -> Iterator[Fault]:
    if name is not None and definition.name not in (None, name):
        hint = f"Write `name: {name}`, or leave it out."
        yield places.fault(("name",), "wrong_name", f"it is called `{definition.name}`, not `{name}`", hint)
    for input_name, declared in definition.inputs.items():
        yield from _input_faults(input_name, declared, places)
    for step_name, step in definition.steps.items():
        yield from _step_faults(step_name, step, definition, places, name)
        if look_at is not None and step.kind in _SERVICES:
            path = ("steps", step_name, step.kind.value)
            yield from look_at(step.kind, call_of(step), path, places)
    yield from _reference_faults(definition.outputs, ("outputs",), definition, places, ())


def _input_faults(name: str, declared: Input, places: Places) -> Iterator[Fault]:
    path: Path = ("inputs", name)
    numeric = declared.type in (InputType.INTEGER, InputType.NUMBER)
    for bound in ("minimum", "maximum"):
        if getattr(declared, bound) is not None and not numeric:
            message = f"`{bound}` is for `integer` and `number`"
            yield places.fault((*path, bound), "wrong_value", message, "Leave it out.")
    if not declared.is_required and (reason := wrong(declared.default, declared)):
        yield places.fault((*path, "default"), "wrong_value", f"the default {reason}")


def _step_faults(
    name: str, step: Step, definition: WorkflowDefinition, places: Places, workflow: str | None
) -> Iterator[Fault]:
    path: Path = ("steps", name)
    if name in _RESERVED:
        yield places.fault(path, "wrong_name", f"`{name}` is a word of `on_failure`", "Choose another name.")
    yield from _name_faults(name, step, definition, places)
    yield from _reference_faults(step.when, (*path, "when"), definition, places, (), name)
    yield from _reference_faults(step.for_each, (*path, "for_each"), definition, places, (), name)
    call = call_of(step)
    per_item = _PER_ITEM if step.for_each is not None else ()
    yield from _reference_faults(call, (*path, step.kind.value), definition, places, per_item, name)
    if step.workflow is not None and step.workflow.name == (workflow or definition.name):
        message = "a workflow cannot be a step of itself"
        yield places.fault((*path, StepKind.WORKFLOW.value, "name"), "cycle", message)


def _name_faults(name: str, step: Step, definition: WorkflowDefinition, places: Places) -> Iterator[Fault]:
    others = definition.steps.keys() - {name}
    for index, other in enumerate(step.after):
        if other not in others:
            place: Path = ("steps", name, "after", index)
            yield places.fault(
                place, "unknown_step", f"there is no other step `{other}`", nearest(other, others)
            )
    if step.handler is not None and step.handler not in others:
        hint = nearest(step.handler, {*others, *_RESERVED})
        message = f"there is no other step `{step.handler}`"
        yield places.fault(("steps", name, "on_failure"), "unknown_step", message, hint)


def _reference_faults(
    value: Any,
    path: Path,
    definition: WorkflowDefinition,
    places: Places,
    per_item: tuple[str, ...],
    step: str | None = None,
) -> Iterator[Fault]:
    for below, text in expressions.texts_in(value, path):
        try:
            parts = expressions.split(text)
        except BadExpression as error:
            hint = "docs/howto/run-workflows.md shows what can stand there."
            yield places.fault(below, "bad_expression", str(error), hint)
            continue
        for part in parts:
            if isinstance(part, Expression):
                yield from _expression_faults(part, below, definition, places, per_item, step)


def _expression_faults(
    expression: Expression,
    path: Path,
    definition: WorkflowDefinition,
    places: Places,
    per_item: tuple[str, ...],
    step: str | None,
) -> Iterator[Fault]:
    for function in expressions.unknown_functions(expression):
        hint = nearest(function, expressions.FUNCTIONS)
        yield places.fault(path, "unknown_function", f"there is no function `{function}`", hint)
    for mention in sorted(expression.mentions(), key=lambda each: (each.root, each.name or "")):
        if found := _wrong_mention(mention, definition, per_item, step):
            code, message, hint = found
            yield places.fault(path, code, f"`{expression.text}`: {message}", hint)


def _wrong_mention(  # noqa: PLR0911 - one line a mistake
    mention: Mention, definition: WorkflowDefinition, per_item: tuple[str, ...], step: str | None
) -> tuple[str, str, str] | None:
    """Its code, words and hint."""
    roots = ("inputs", "steps", "run", *per_item)
    match mention:
        case Mention("inputs", str(name)) if name not in definition.inputs:
            return "unknown_input", f"there is no input `{name}`", nearest(name, definition.inputs)
        case Mention("steps", str(name)) if name == step:
            return "unknown_step", "a step cannot refer to itself", ""
        case Mention("steps", str(name)) if name not in definition.steps:
            return "unknown_step", f"there is no step `{name}`", nearest(name, definition.steps)
        case Mention("inputs" | "steps" as root, None):
            hint = f"Write `{root}.NAME`; after `!` in brackets: `!({root}.NAME)`."
            return "unnamed_reference", f"it does not say which of `{root}`", hint
        case Mention("item" | "index" as root, _) if root not in per_item:
            return "unknown_reference", f"`{root}` is known only in the call of a step with `for_each`", ""
        case Mention(root, None) if root not in roots:
            return "unknown_reference", f"there is nothing called `{root}`", nearest(root, roots)
        case _:
            return None
