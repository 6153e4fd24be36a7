"""One question a service, and whether what comes back can be an answer to it.

Every question holds something drawn by chance, so that an answer prepared beforehand is found out.
"""

from __future__ import annotations

import json
import math
import secrets
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ai_semble.config import Config
from ai_semble.schemas.data_answers import ProcessAnswer, ProfileResult
from ai_semble.schemas.health import EnvironmentHealth
from ai_semble.schemas.llm import CompletionAnswer
from ai_semble.schemas.vision import VisionResponse, VisionTask
from ai_semble.topology import DATA, LLM, NLP, ORCHESTRATOR, SERVICES, VISION

Answer = TypeVar("Answer", bound=BaseModel)
_WORDS = ("amber", "cedar", "delta", "ember", "fjord", "grove", "heron", "indigo", "juniper", "lagoon")
_PRAISE = "This is a wonderful product, I love it!"
_BLAME = "This is a terrible product, I hate it!"
_MAX_TOKENS = 64


class Implausible(Exception):
    """What a service answered cannot be the answer; says why."""


@dataclass(frozen=True)
class Question:
    """A request to one service, a GET where `body` is None, and what refuses its answer by `Implausible`."""

    path: str
    body: Mapping[str, Any] | None
    judge: Callable[[bytes], None]


def questions_for(service: str, config: Config) -> list[Question]:
    """What to ask a service of the topology table, in this order."""
    match service:
        case LLM.name:
            return [_completion(constrained=config.llm.engine == "llama.cpp")]
        case VISION.name:
            return [_picture()]
        case NLP.name:
            return [_feelings()]
        case DATA.name:
            return [_profile()]
        case ORCHESTRATOR.name:
            return [_environment(), _feelings()]
        case _:
            raise KeyError(service)


def _completion(*, constrained: bool) -> Question:
    """Our own engine must write one of two words; other servers may not know schemas, so any text will do."""
    words = secrets.SystemRandom().sample(_WORDS, 2)
    body: dict[str, Any] = {
        "prompt": f"Choose one of the words {words[0]} and {words[1]}.",
        "max_tokens": _MAX_TOKENS,
        "temperature": 0,
    }
    if constrained:
        schema = {
            "type": "object",
            "properties": {"word": {"enum": words}},
            "required": ["word"],
            "additionalProperties": False,
        }
        body["response_format"] = {"type": "json_schema", "schema": schema}

    def judge(raw: bytes) -> None:
        answer = _read(CompletionAnswer, raw)
        written = answer.usage.completion_tokens
        if not 1 <= written <= _MAX_TOKENS:
            raise Implausible(f"{written} tokens were written of at most {_MAX_TOKENS}")
        # A reasoning model may use up all its tokens before it comes to the answer.
        if answer.reasoning and not answer.text.strip():
            return
        if not any(sign.isalnum() for sign in answer.text):
            raise Implausible("the text has neither letters nor digits")
        if constrained and _chosen(answer.text) not in words:
            raise Implausible(f"it wrote {_short(answer.text)} where only {' or '.join(words)} was possible")

    return Question("/ai/llm/completion", body, judge)


def _chosen(text: str) -> Any:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document.get("word") if isinstance(document, dict) else None


def _picture() -> Question:
    width, height = 32 + secrets.randbelow(32), 32 + secrets.randbelow(32)
    image = b64encode(png(width, height)).decode("ascii")

    def judge(raw: bytes) -> None:
        answer = _read(VisionResponse, raw)
        seen = answer.image
        if (seen.width, seen.height, seen.format) != (width, height, "PNG"):
            raise Implausible(
                f"it saw {seen.format} {seen.width} x {seen.height} in a PNG {width} x {height}"
            )
        scores = [label.score for label in answer.labels or ()]
        if answer.task is not VisionTask.CLASSIFY or not scores:
            raise Implausible("there are no labels")
        if scores != sorted(scores, reverse=True) or not all(0 <= score <= 1 for score in scores):
            raise Implausible("the labels' scores are no probabilities, best first")

    # Of noise no label is likely; the least ones are asked for, too.
    return Question("/ai/vision/analyze", {"image": image, "task": "classify", "min_score": 0}, judge)


def png(width: int, height: int) -> bytes:
    """A grey gradient as a PNG file."""
    rows = b"".join(b"\0" + bytes(x * 255 // width for x in range(width)) for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


class _Scores(BaseModel):
    positive: float
    neutral: float
    negative: float


class _Feeling(BaseModel):
    label: str
    scores: _Scores


class _Feelings(BaseModel):
    """Only what is judged: the schema of the API refuses what a newer service adds, which is no illness."""

    results: list[_Feeling]


def _feelings() -> Question:
    praised = [secrets.choice((True, False)) for _ in range(6)]
    texts = [_PRAISE if good else _BLAME for good in praised]
    expected = ["positive" if good else "negative" for good in praised]

    def judge(raw: bytes) -> None:
        feelings = _read(_Feelings, raw).results
        found = [feeling.label for feeling in feelings]
        if found != expected:
            raise Implausible(
                f"it found {', '.join(found) or 'nothing'} where {', '.join(expected)} is right"
            )
        for feeling in feelings:
            total = feeling.scores.positive + feeling.scores.neutral + feeling.scores.negative
            if not math.isclose(total, 1, abs_tol=0.02):
                raise Implausible(f"the scores add up to {total:.2f}, not to 1")

    return Question("/ai/nlp/process", {"texts": texts, "task": "sentiment", "language": "en"}, judge)


def _profile() -> Question:
    low = secrets.randbelow(1000)
    high = low + 1 + secrets.randbelow(1000)
    body = {"operation": "analyze", "data": {"records": [{"n": high}, {"n": low}]}}

    def judge(raw: bytes) -> None:
        answer = _read(ProcessAnswer, raw)
        if not isinstance(answer.result, ProfileResult):
            raise Implausible("it answered another operation than analyze")
        profile = answer.result.profile
        found = [(column.name, column.min, column.max) for column in profile.columns]
        if profile.rows != 2 or found != [("n", low, high)]:
            raise Implausible(f"it found {profile.rows} rows with {found} in n = {high}, {low}")

    return Question("/data/process", body, judge)


def _environment() -> Question:
    def judge(raw: bytes) -> None:
        answer = _read(EnvironmentHealth, raw)
        missing = SERVICES.keys() - answer.services.keys()
        if missing:
            raise Implausible(f"its health says nothing of {', '.join(sorted(missing))}")
        if not answer.status.serves:
            raise Implausible(f"it is {answer.status.value}: {answer.reason}")
        if not answer.version:
            raise Implausible("its health has no version")

    return Question("/health", None, judge)


def _read(model: type[Answer], raw: bytes) -> Answer:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise Implausible(f"its answer has not the form of one ({where}: {first['msg']})") from error


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
