"""What the OpenAPI document promises is what the running API does, for requests that nobody thought of."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ai_semble.config import Config
from ai_semble.service import Runtime
from ai_semble.topology import ORCHESTRATOR
from tests.support.worlds import World

CONFORMANCE = [status_code_conformance, content_type_conformance, response_schema_conformance]
# Answers that say "not now" are documented, and no defect.
NOT_NOW = (503, 507)
# A stream of events ends when its job does, which is never for a job that is not there.
LEFT_OUT = ("/jobs/{job_id}/events",)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for every operation of the document."""
    app = ORCHESTRATOR.create_app(Runtime.create(ORCHESTRATOR.name, Config()))
    operations = [
        (path, method)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if path not in LEFT_OUT
    ]
    metafunc.parametrize(("path", "method"), operations, ids=[f"{m.upper()} {p}" for p, m in operations])


@pytest.fixture(scope="session")
def schema(world: World) -> Any:
    return schemathesis.openapi.from_url(f"{world.url}/openapi.json")


def test_every_answer_is_documented(schema: Any, path: str, method: str) -> None:
    @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=schema[path][method].as_strategy())
    def ask(case: Any) -> None:
        answer = case.call(timeout=60)
        more = [] if answer.status_code in NOT_NOW else [not_a_server_error]
        case.validate_response(answer, checks=[*CONFORMANCE, *more])

    ask()
