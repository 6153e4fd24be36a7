"""JSON Schemas as grammars for llama.cpp's own copy of LLGuidance.

llama.cpp writes freely when a grammar cannot be used, so each schema is checked first, by the same library.
"""

from __future__ import annotations

from typing import Any

import orjson
from llguidance import LLMatcher

from ai_semble.errors import FieldProblem
from ai_services.llm.errors import InvalidSchema

MAX_SCHEMA_BYTES = 64 * 1024
ANY_OBJECT = {"type": "object"}

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
    if complaint := LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(text.decode())):
        raise _invalid(complaint, field)
    spaced = {"x-guidance": _SPACING, **schema} if isinstance(schema, dict) else {"x-guidance": _SPACING}
    return f"%llguidance {{}}\nstart: %json {orjson.dumps(spaced).decode()}"


def _invalid(why: str, field: str) -> InvalidSchema:
    sentence = why.strip().rstrip(".")
    return InvalidSchema(
        f"The JSON Schema cannot be used: {sentence}", fields=[FieldProblem(field, sentence)]
    )
