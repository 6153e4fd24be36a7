"""At least 200 bad inputs over all endpoints: each gets its documented error, and the services stay up."""

from __future__ import annotations

import httpx
import pytest

from tests.integration.bad_inputs import data, llm, nlp, platform, vision, workflows
from tests.integration.bad_inputs.case import Bad

CASES = [case for module in (platform, llm, vision, nlp, data, workflows) for case in module.cases()]


def test_there_are_at_least_200_different_ones() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 200


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_input_gets_its_documented_error(api: httpx.Client, case: Bad) -> None:
    answer = api.request(case.method, case.path, **case.arguments())
    assert answer.status_code == case.status, answer.text[:500]
    problem = answer.json()["error"] if case.path.startswith("/v1") else answer.json()
    assert problem["code"] == case.code, problem
    assert problem["hint"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    if case.names:
        assert any(case.names in item["field"] for item in problem.get("errors", [])), problem


def test_after_all_of_them_every_service_is_well(api: httpx.Client) -> None:
    health = api.get("/health").json()
    assert health["status"] == "ready", health["reason"]
