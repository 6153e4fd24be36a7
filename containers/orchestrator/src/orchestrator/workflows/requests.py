"""Looks at the requests of steps as far as they are known before a run: what their service would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ai_semble.problems import place_of
from ai_semble.schemas.data import process_request
from ai_semble.schemas.llm import CompletionRequest
from ai_semble.schemas.nlp import NlpRequest
from ai_semble.schemas.vision import VisionRequest
from ai_semble.schemas.workflows import StepKind
from orchestrator.workflows.expressions import has_reference
from orchestrator.workflows.faults import Fault, Path, Places

PATHS: Mapping[StepKind, tuple[str, str]] = {
    StepKind.LLM: ("llm", "/ai/llm/completion"),
    StepKind.VISION: ("vision", "/ai/vision/analyze"),
    StepKind.NLP: ("nlp", "/ai/nlp/process"),
    StepKind.DATA: ("data-processor", "/data/process"),
}
_MOST_FAULTS = 20


@cache
def _adapter(kind: StepKind) -> TypeAdapter[Any]:
    match kind:
        case StepKind.LLM:
            return TypeAdapter(CompletionRequest)
        case StepKind.VISION:
            return TypeAdapter(VisionRequest)
        case StepKind.NLP:
            return TypeAdapter(NlpRequest)
        case _:
            return process_request()


def request_faults(kind: StepKind, request: Mapping[str, Any], path: Path, places: Places) -> Iterator[Fault]:
    """What is wrong with a request, whatever its references become."""
    if kind is StepKind.LLM and request.get("stream") is True:
        hint = "Leave out `stream`."
        yield places.fault((*path, "stream"), "wrong_value", "the answer of a step is not streamed", hint)
    try:
        _adapter(kind).validate_python(request)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        for item in faults[:_MOST_FAULTS]:
            loc, known = _walk(request, place_of(item))
            if not known:
                yield places.fault((*path, *loc), "wrong_request", item["msg"], _hint(kind))


def _hint(kind: StepKind) -> str:
    return f"docs/reference/api.md has the fields of POST {PATHS[kind][1]}."


def _walk(request: Any, loc: Path) -> tuple[Path, bool]:
    """The path without the names of alternatives, and whether a reference decides about what is there."""
    value, path = request, []
    for part in loc:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            # The name of an alternative, or a member that is missing, which is the last one.
            if part == loc[-1]:
                path.append(part)
                return tuple(path), isinstance(value, str) and has_reference(value)
            continue
        path.append(part)
    return tuple(path), has_reference(value) if path else False
