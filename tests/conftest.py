"""Options and fixtures that every tier shares."""

from __future__ import annotations

import pytest
import structlog

from ai_semble import telemetry
from tests.support.models import models_directory

pytest_plugins = ["tests.hosts.fixtures", "tests.support.attacks"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--target",
        default="inprocess",
        choices=["inprocess", "embedded", "quadlet", "kube"],
        help="What the integration suite runs against: threads, supervised processes, or the pod on a real host.",
    )


def pytest_configure() -> None:
    telemetry.switch_off()  # before anything imports what would report


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """One line an event. The default draws every local variable of a traceback, which takes seconds."""
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(),
    ]
    structlog.configure(processors=processors)


@pytest.fixture(scope="session")
def models_dir() -> str:
    """The folder of installed models; a missing default model is an error that says how to get it."""
    return str(models_directory())
