"""What the OpenAPI document promises is what the running API does, for requests that nobody thought of."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.worlds import World

# Answers that say "not now" are documented, and no defect.
NOT_NOW = (503, 507)


@pytest.fixture(scope="session")
def openapi(world: World) -> schemathesis.BaseSchema:
    schema = schemathesis.openapi.from_url(f"{world.url}/openapi.json")
    # A stream of events ends when its job does; everything else is asked.
    return schema.exclude(path_regex="/events$")


schema = schemathesis.pytest.from_fixture("openapi")


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_documented(case: schemathesis.Case[Any]) -> None:
    answer = case.call(timeout=60)
    case.validate_response(
        answer,
        checks=[
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
            *([] if answer.status_code in NOT_NOW else [not_a_server_error]),
        ],
    )
