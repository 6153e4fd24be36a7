"""The chunks of a streamed answer as the answer that was not streamed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def merged(chunks: Iterable[Json]) -> Json:
    """OpenAI's `chat.completion` or `text_completion` from its chunks, in order."""
    whole: Json = {}
    choices: dict[int, Json] = {}
    for chunk in chunks:
        for piece in chunk.get("choices", ()):
            _add_piece(choices.setdefault(piece["index"], {"index": piece["index"]}), piece)
        whole.update({key: value for key, value in chunk.items() if key != "choices"})
    whole["object"] = (
        "chat.completion" if whole.get("object") == "chat.completion.chunk" else "text_completion"
    )
    return {"choices": [_settled(choices[index]) for index in sorted(choices)], **whole}


def _add_piece(choice: Json, piece: Json) -> None:
    if "delta" in piece:
        _extend(choice.setdefault("message", {}), piece["delta"])
    if "text" in piece:
        choice["text"] = choice.get("text", "") + piece["text"]
    if piece.get("logprobs"):
        _extend(choice.setdefault("logprobs", {}), piece["logprobs"])
    if piece.get("finish_reason"):
        choice["finish_reason"] = piece["finish_reason"]


def _extend(into: Json, delta: Json) -> None:
    """Add a delta: texts and lists grow, tool calls by their index, the rest is replaced."""
    for key, value in delta.items():
        match into.get(key), value:
            case (list() as calls, list()) if key == "tool_calls":
                _extend_calls(calls, value)
            case (_, list()) if key == "tool_calls":
                into[key] = []
                _extend_calls(into[key], value)
            case (list() as old, list()):
                old.extend(value)
            case (str() as old, str()) if key not in ("role", "type", "id"):
                into[key] = old + value
            case (None, _) | (_, str() | int() | dict() | list()):
                into[key] = value


def _extend_calls(calls: list[Json], deltas: list[Json]) -> None:
    for delta in deltas:
        index = delta.get("index", len(calls))
        while len(calls) <= index:
            calls.append({})
        own = {key: value for key, value in delta.items() if key not in ("index", "function")}
        calls[index].update(own)
        _extend(calls[index].setdefault("function", {}), delta.get("function", {}))


def _settled(choice: Json) -> Json:
    """The choice with the members that OpenAI always gives."""
    if "message" in choice:
        choice["message"].setdefault("role", "assistant")
        choice["message"].setdefault("content", None)
    return {"finish_reason": None, "logprobs": None, **choice}
