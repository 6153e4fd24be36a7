"""The operations' table says what is true of the services."""

from __future__ import annotations

from importlib import import_module

import pytest

from ai_semble.errors import all_errors
from ai_semble.topology import UPSTREAMS
from orchestrator.gateway.headers import connection_options, prefers_async, to_client, to_service
from orchestrator.operations import OPERATIONS, Operation

ERRORS = [
    "ai_services.llm.errors",
    "ai_services.models.errors",
    "ai_services.nlp.errors",
    "ai_services.vision.errors",
    "data_processor.errors",
    "orchestrator.fetcher.errors",
    "ai_semble.guard",
    "orchestrator.jobs.errors",
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_code_is_that_of_an_error_with_this_status(operation: Operation) -> None:
    for module in ERRORS:
        import_module(module)
    known = {(error.code, error.status) for error in all_errors()}
    named = {(code, status) for status, codes in operation.all_codes.items() for code in codes}
    assert named <= known, named - known


def test_every_operation_is_of_a_service_and_there_once() -> None:
    assert {operation.service for operation in OPERATIONS} == set(UPSTREAMS)
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"respond-async", True),
        (b"wait=10, Respond-Async", True),
        (b"respond-async; x=1", True),
        (b"respond-asynchronously", False),
        (b"wait=10", False),
        (b"", False),
    ],
)
def test_a_job_is_made_when_it_is_asked_for(value: bytes, wanted: bool) -> None:
    assert prefers_async([(b"accept", b"*/*"), (b"prefer", value)]) is wanted


def test_headers_named_by_connection_stay_on_their_connection() -> None:
    assert connection_options([(b"connection", b"close, X-A ,x-b")]) == {b"close", b"x-a", b"x-b"}
    assert to_service([(b"connection", b"x-a"), (b"x-a", b"1"), (b"x-b", b"\xe9")]) == (("x-b", "é"),)
    assert to_service([(b"x-name", "売上".encode())]) == (("x-name", "売上"),)
    assert to_client([(b"X-A", b"1"), (b"Connection", b"X-A"), (b"X-B", b"2")]) == [(b"x-b", b"2")]
