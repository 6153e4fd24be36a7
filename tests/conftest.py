"""Options and fixtures that every tier shares."""

from __future__ import annotations

import pytest

from tests.support.models import models_directory


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--target",
        default="inprocess",
        choices=["inprocess", "embedded"],
        help="What the integration suite runs against.",
    )


@pytest.fixture(scope="session")
def models_dir() -> str:
    """The folder of installed models; a missing default model is an error that says how to get it."""
    return str(models_directory())
