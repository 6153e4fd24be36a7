"""What is sent, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from ai_semble_client.answers.base import Answer

T_co = TypeVar("T_co", covariant=True)
A = TypeVar("A", bound=Answer)


@dataclass(frozen=True)
class Call(Generic[T_co]):
    """A call whose answer is a T_co.

    `repeatable`: making it twice leaves things as making it once does, so that it is tried again when it fails.
    `upload` is a file that is sent as the body; `form` and `picture` are a multipart body.
    """

    method: str
    path: str
    read: Callable[[bytes], T_co]
    json: Mapping[str, Any] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    picture: tuple[str, bytes] | None = None
    upload: Path | None = None
    repeatable: bool = True


def reading(kind: type[A]) -> Callable[[bytes], A]:
    """Reads a JSON answer as the type of answer that it is."""
    return kind.model_validate_json


def nothing(_: bytes) -> None:
    """Reads an answer without a body."""


def given(**members: Any) -> dict[str, Any]:
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def words(**members: Any) -> dict[str, str]:
    """The same, as parameters of an address or fields of a form have them."""
    return {name: _word(value) for name, value in given(**members).items()}


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
