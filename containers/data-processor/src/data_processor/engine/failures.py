"""DuckDB's errors in our words: which of our errors, where, and no paths of this machine."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from ai_semble.errors import AiSembleError, InsufficientStorage
from data_processor.errors import (
    ComputationFailed,
    MemoryLimitExceeded,
    SpillLimitExceeded,
    SqlNotAllowed,
    TypeMismatch,
    UnreadableData,
    WrongEncoding,
)

_LINE = re.compile(r"CSV Error on Line: (\d+)")
_REASON = re.compile(
    r"^(Expected Number of Columns: .*|Value with unterminated quote.*|Error when converting column .*"
    r"|Maximum line size .*|The maximum .*|.*quote.*found.*)$",
    re.MULTILINE,
)
_JSON = re.compile(r"Malformed JSON in file \"[^\"]*\", (?P<rest>.*)", re.DOTALL)
# "File too large" is the limit of a worker's files, which leaves some of the disk free.
_FULL = ("No space left on device", "Disk quota exceeded", "File too large")
_LONGEST = 300


def unreadable(error: duckdb.Error, path: Path) -> AiSembleError:
    """Why a file could not be read, with the line where DuckDB knows it."""
    text = _without_path(str(error), path)
    if limit := _limit(error, text):
        return limit
    if "not utf-8" in text or "invalid unicode" in text.lower():
        line = re.search(r"on Line: (\d+)", text)
        return WrongEncoding(f"The text is not UTF-8{f' (line {line[1]})' if line else ''}")
    if line := _LINE.search(text):
        reason = _REASON.search(text, line.end())
        return UnreadableData(f"Line {line[1]}: {reason[1] if reason else 'it is not like the lines before'}")
    if found := _JSON.search(text):
        return UnreadableData(f"Broken JSON {first_line(found['rest'])}")
    if "sniffing file" in text:
        return UnreadableData("The file does not look like CSV: no delimiter fits all of its lines")
    return UnreadableData(f"The file cannot be read: {first_line(text)}")


def translate(error: duckdb.Error, folder: Path) -> AiSembleError | None:  # noqa: PLR0911 - one a class
    """The answer for an error met while computing; None for what should not happen, which is a defect."""
    text = _without_path(str(error), folder)
    if limit := _limit(error, text):
        return limit
    sentence = first_line(text)
    match error:
        case duckdb.ConversionException() | duckdb.OutOfRangeException():
            return ComputationFailed(sentence)
        case duckdb.PermissionException():
            return SqlNotAllowed(sentence)
        case duckdb.ParserException() | duckdb.CatalogException() | duckdb.BinderException():
            return TypeMismatch(sentence)
        case duckdb.TypeMismatchException():
            return TypeMismatch(sentence)
        case duckdb.InvalidInputException() | duckdb.NotImplementedException() | duckdb.SyntaxException():
            return ComputationFailed(sentence)
        case duckdb.IOException():
            return UnreadableData(sentence)
        case _:
            return None


def _limit(error: duckdb.Error, text: str) -> AiSembleError | None:
    if "max_temp_directory_size" in text or "failed to offload data block" in text:
        return SpillLimitExceeded("The intermediate results fill the disk space that an operation may use")
    if any(words in text for words in _FULL):
        return InsufficientStorage("The disk is full")
    if isinstance(error, duckdb.OutOfMemoryException) or "bad allocation" in text or "std::bad_alloc" in text:
        return MemoryLimitExceeded("The memory that an operation may use is full")
    return None


def _without_path(text: str, path: Path) -> str:
    return text.replace(str(path), path.name).replace(str(path.parent) + "/", "")


def first_line(text: str) -> str:
    """The sentence, without DuckDB's prefix, suggestions and picture of the statement."""
    text = re.split(r"\n\s*LINE |\n\s*Candidate|You might need to add", text, maxsplit=1)[0]
    return _shorten(" ".join(re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", text).split()))


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
