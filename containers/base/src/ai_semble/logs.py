"""JSON logs: one event a line, with a stable `action`, the service and the request id.

`log.info("model_loaded", model="x", ms=12)` writes
`{"time": ..., "level": "INFO", "service": "llm", "action": "model_loaded", "model": "x", "ms": 12}`.
Prompts, documents, pictures and secrets never go into a log line at info level or above.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

from ai_semble.context import request_id

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry `module=name`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def configure_logs(service: str, level: str) -> None:
    """Send structlog's and the standard library's records to stdout as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _stamp(service),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[structlog.processors.add_log_level, *shared, _render],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(LEVELS[level], logging.WARNING), force=True)
    logging.captureWarnings(True)


def _stamp(service: str) -> structlog.typing.Processor:
    def stamp(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        if current := request_id():
            event.setdefault("request_id", current)
        return event

    return stamp


def _render(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    line = {
        "time": event.pop("time", None),
        "level": str(event.pop("level", "info")).upper(),
        "service": event.pop("service", None),
        "action": event.pop("event", None),
        **event,
    }
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
