"""Compares an answer as a page shows it, shortened by `…`, with the one that came."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

ELLIPSIS = "…"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|…|[{}\[\],:]|[^\s{}\[\],:"…]+')
_REST_OF_OBJECT = f'"{ELLIPSIS}": 0'
_CLOSENESS = 0.06
"""Relative and absolute: other processors round a little differently."""


def parse(text: str) -> Any:
    """The value of shortened JSON: `…` is a value, the rest of a list, or the rest of an object."""
    parts: list[str] = []
    open_: list[str] = []
    for token in _TOKEN.findall(text):
        if token in "{[":
            open_.append(token)
        elif token in "}]":
            open_.pop()
        is_rest_of_object = token == ELLIPSIS and open_[-1] == "{" and parts[-1] != ":"
        parts.append(
            _REST_OF_OBJECT if is_rest_of_object else f'"{ELLIPSIS}"' if token == ELLIPSIS else token
        )
    return json.loads("".join(parts))


def values(text: str) -> list[Any]:
    """Every JSON object in a text, in order."""
    found, decoder, at = [], json.JSONDecoder(), 0
    while (at := text.find("{", at)) >= 0:
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found


def differences(shown: Any, came: Any, *, only_shape: bool = False, path: str = "answer") -> Iterator[str]:
    """What is not as shown, in words."""
    match shown:
        case str() if ELLIPSIS in shown:
            if shown != ELLIPSIS and not isinstance(came, str):
                yield f"{path} is no text but {came!r}"
        case dict() if isinstance(came, dict):
            yield from _in_objects(shown, came, only_shape, path)
        case list() if isinstance(came, list):
            yield from _in_lists(shown, came, only_shape, path)
        case _ if not _is_same(shown, came, only_shape):
            yield f"{path} is {came!r}, and shown as {shown!r}"


def _in_objects(shown: dict[str, Any], came: dict[str, Any], only_shape: bool, path: str) -> Iterator[str]:
    more = came.keys() - shown.keys()
    if more and ELLIPSIS not in shown:
        yield f"{path} also has {', '.join(sorted(more))}"
    for key, value in shown.items():
        if key == ELLIPSIS:
            continue
        if key in came:
            yield from differences(value, came[key], only_shape=only_shape, path=f"{path}.{key}")
        else:
            yield f"{path} has no {key}"


def _in_lists(shown: list[Any], came: list[Any], only_shape: bool, path: str) -> Iterator[str]:
    """What stands before a `…` is compared from the start, what stands behind it from the end."""
    cut = shown.index(ELLIPSIS) if ELLIPSIS in shown else len(shown)
    first, last = shown[:cut], shown[cut + 1 :]
    too_few = len(came) < len(first) + len(last)
    if too_few or (cut == len(shown) and len(came) != len(shown) and not only_shape):
        yield f"{path} has {len(came)} items, and {len(shown)} are shown"
        return
    pairs = [*zip(first, came, strict=False), *zip(last, came[len(came) - len(last) :], strict=True)]
    for number, (one, other) in enumerate(pairs):
        yield from differences(one, other, only_shape=only_shape, path=f"{path}[{number}]")


def _is_same(shown: Any, came: Any, only_shape: bool) -> bool:
    numbers = isinstance(shown, int | float) and isinstance(came, int | float)
    if numbers and not isinstance(shown, bool) and not isinstance(came, bool):
        return only_shape or math.isclose(shown, came, rel_tol=_CLOSENESS, abs_tol=_CLOSENESS)
    return type(shown) is type(came) and (only_shape or shown == came)
