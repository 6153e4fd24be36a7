"""POST /ai/nlp/process and /v1/embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.integration.bad_inputs.case import Bad, invalid

PATH = "/ai/nlp/process"
TEXT: dict[str, Any] = {"text": "Good.", "task": "sentiment"}


def cases() -> Iterator[Bad]:
    yield from fields()
    yield from tasks()
    yield from languages()
    yield from embeddings()


def fields() -> Iterator[Bad]:
    yield invalid("nothing at all", PATH, {}, "task")
    yield invalid("no task", PATH, {"text": "x"}, "task")
    yield invalid("unknown task", PATH, {"text": "x", "task": "translate"}, "task")
    yield invalid("task is a number", PATH, {"text": "x", "task": 1}, "task")
    yield invalid("task is null", PATH, {"text": "x", "task": None}, "task")
    yield invalid("neither text nor texts", PATH, {"task": "sentiment"}, "text")
    yield invalid("both text and texts", PATH, TEXT | {"texts": ["x"]}, "text")
    yield invalid("empty text", PATH, TEXT | {"text": ""}, "text")
    yield invalid("white space", PATH, TEXT | {"text": " \n\t\u3000"}, "text")
    yield invalid("text is a number", PATH, TEXT | {"text": 5}, "text")
    yield invalid("text is a list", PATH, TEXT | {"text": ["x"]}, "text")
    yield invalid("text is too long", PATH, TEXT | {"text": "a" * 100_001}, "text")
    yield invalid("no texts", PATH, {"texts": [], "task": "sentiment"}, "texts")
    yield invalid("too many texts", PATH, {"texts": ["x"] * 1001, "task": "sentiment"}, "texts")
    yield invalid("an empty text among texts", PATH, {"texts": ["x", ""], "task": "language"}, "texts.1")
    yield invalid("a number among texts", PATH, {"texts": ["x", 1], "task": "language"}, "texts.1")
    yield invalid(
        "texts too long together", PATH, {"texts": ["a" * 99_000] * 11, "task": "language"}, "texts"
    )
    yield invalid("unknown field", PATH, TEXT | {"txt": "x"}, "txt")
    yield invalid("a field of another task", PATH, TEXT | {"labels": ["a", "b"]}, "labels")
    yield invalid("language name in full", PATH, TEXT | {"language": "english"}, "language")
    yield invalid("language in capitals", PATH, TEXT | {"language": "EN"}, "language")
    yield invalid("body is a list", PATH, [TEXT], "")
    yield invalid("body is a string", PATH, "text", "")


def tasks() -> Iterator[Bad]:
    def bad(name: str, task: str, names: str, **more: Any) -> Bad:
        return invalid(f"{task}: {name}", PATH, {"text": "A text.", "task": task, **more}, names)

    yield bad("unknown type", "entities", "types", types=["PLANET"])
    yield bad("no types", "entities", "types", types=[])
    yield bad("top of zero", "language", "top", top=0)
    yield bad("top too large", "language", "top", top=11)
    yield bad("top of zero", "keywords", "top", top=0)
    yield bad("top is a word", "keywords", "top", top="many")
    yield bad("diversity over one", "keywords", "diversity", diversity=1.1)
    yield bad("diversity below zero", "keywords", "diversity", diversity=-0.1)
    yield bad("no sentences", "summarize", "sentences", sentences=0)
    yield bad("too many sentences", "summarize", "sentences", sentences=51)
    yield bad("half a sentence", "summarize", "sentences", sentences=1.5)
    yield bad("unknown mode", "tokenize", "mode", mode="D")
    yield bad("nothing to compare with", "similarity", "")
    yield bad("empty other", "similarity", "other", other="")
    yield bad("no labels", "classify", "labels")
    yield bad("an empty list of labels", "classify", "labels", labels=[])
    yield bad("one label", "classify", "labels", labels=["a"])
    yield bad("a label twice", "classify", "labels", labels=["a", "a"])
    yield bad("an empty label", "classify", "labels", labels=["a", ""])
    yield bad("labels are a string", "classify", "labels", labels="a,b")
    yield bad("too many labels", "classify", "labels", labels=[str(n) for n in range(101)])
    yield bad("unknown kind", "pii", "types", types=["SHOE_SIZE"])
    yield bad("unknown mask", "pii", "mask", mask="blur")
    yield bad("score over one", "pii", "min_score", min_score=2)


def languages() -> Iterator[Bad]:
    for task in ("entities", "keywords", "tokenize"):
        body = {"text": "Guten Tag, Herr Müller aus Berlin.", "task": task, "language": "de"}
        yield Bad(f"{task} in German", PATH, 422, "language_not_supported", json=body)


def embeddings() -> Iterator[Bad]:
    path, good = "/v1/embeddings", {"input": "x", "model": "use-multilingual-v3"}
    yield invalid("embeddings: no input", path, {"model": "use-multilingual-v3"}, "input")
    yield invalid("embeddings: empty input", path, good | {"input": ""}, "input")
    yield invalid("embeddings: empty list", path, good | {"input": []}, "input")
    yield invalid("embeddings: token numbers", path, good | {"input": [1, 2]}, "input")
    yield invalid("embeddings: other length", path, good | {"dimensions": 256}, "dimensions")
    yield invalid("embeddings: other encoding", path, good | {"encoding_format": "hex"}, "encoding_format")
    yield Bad("embeddings: unknown model", path, 404, "model_not_found", json=good | {"model": "ada"})
