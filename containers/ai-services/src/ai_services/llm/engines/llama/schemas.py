"""JSON Schemas as grammars for llama.cpp's own copy of LLGuidance.

llama.cpp writes freely when a grammar cannot be used, so each schema is checked first, by the same library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
from llguidance import LLMatcher

from ai_semble.errors import FieldProblem
from ai_services.llm.errors import InvalidSchema

MAX_SCHEMA_BYTES = 64 * 1024
MAX_REPETITIONS = 100_000
"""All of a schema together: llama.cpp builds its grammar item by item, and a billion letters take all memory."""
ANY_OBJECT = {"type": "object"}

_LENGTHS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_REPEATED = re.compile(r"[{,]([0-9]+)\}")

# Compact and regular: a model that may put any white space anywhere can write nothing else for a while.
_SPACING = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}


def grammar_of(schema: Any, field: str) -> str:
    """The grammar that lets only JSON valid against the schema be written. Raises InvalidSchema."""
    try:
        text = orjson.dumps(schema)
    except (TypeError, ValueError) as error:
        raise _invalid(str(error), field) from error
    if len(text) > MAX_SCHEMA_BYTES:
        raise _invalid(f"it is longer than {MAX_SCHEMA_BYTES} bytes", field)
    if sum(_repetitions(schema)) > MAX_REPETITIONS:
        raise _invalid(
            f"its lengths together are more than {MAX_REPETITIONS} (maxItems, maxLength, ...)", field
        )
    if complaint := LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(text.decode())):
        raise _invalid(complaint, field)
    spaced = {"x-guidance": _SPACING, **schema} if isinstance(schema, dict) else {"x-guidance": _SPACING}
    return f"%llguidance {{}}\nstart: %json {orjson.dumps(spaced).decode()}"


def _repetitions(schema: Any) -> Iterator[float]:
    """Every length that a schema names, also in its patterns."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield from (abs(part[key]) for key in _LENGTHS if isinstance(part.get(key), int | float))
            waiting.extend(part)
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, str):
            yield from (int(number[:10]) for number in _REPEATED.findall(part))


def _invalid(why: str, field: str) -> InvalidSchema:
    sentence = why.strip().rstrip(".")
    return InvalidSchema(
        f"The JSON Schema cannot be used: {sentence}", fields=[FieldProblem(field, sentence)]
    )
