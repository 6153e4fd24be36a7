"""JSON logs: one event a line, with a stable `action`, the service and the request id.

`log.info("model_loaded", model="x", ms=12)` writes
`{"time": ..., "level": "INFO", "service": "llm", "action": "model_loaded", "model": "x", "ms": 12}`.
Prompts, documents, pictures and secrets never go into a log line at info level or above.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import orjson
import structlog

from ai_semble.context import request_id

_LEVEL_NAMES = {"exception": "error", "warn": "warning", "fatal": "critical"}
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry `module=name`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def configure_logs(service: str, level: str) -> None:
    """Send structlog's and the standard library's records to stdout as JSON lines."""
    structlog.configure(
        processors=[_line(service)],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(_Stdout()),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _line(service),
                _as_text,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(LEVELS[level], logging.WARNING), force=True)
    logging.captureWarnings(True)


class _Stdout(BytesIO):
    """Standard output as it is at the moment of writing."""

    def write(self, line: Any) -> int:
        return sys.stdout.buffer.write(line)

    def flush(self) -> None:
        sys.stdout.buffer.flush()


def _line(service: str) -> structlog.typing.Processor:
    """All of a line in one step, since every request pays for it."""

    def line(logger: Any, method: str, event: MutableMapping[str, Any]) -> bytes:
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(logger, method, event)
        record = {
            "time": datetime.now(UTC).isoformat(),
            "level": _LEVEL_NAMES.get(method, method).upper(),
            "service": service,
            "action": event.pop("event", None),
            **event,
        }
        if current := request_id():
            record.setdefault("request_id", current)
        return orjson.dumps(record, default=str, option=orjson.OPT_NON_STR_KEYS)

    return line


def _as_text(_: Any, __: str, line: Any) -> str:
    text: str = line.decode()
    return text
