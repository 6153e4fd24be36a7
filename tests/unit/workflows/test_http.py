"""Steps that call other hosts: only those of the list, under the rules of every URL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.workflows.performing import is_listed
from tests.support.attacks import attack
from tests.support.upstream import Upstream, answering, upstream
from tests.unit.workflows.conftest import Platform, platform

STEP = """\
inputs: {url: {type: string}}
steps:
  call:
    http:
      method: POST
      url: ${{ inputs.url }}
      headers: {X-Test: "yes"}
      json: {n: 1}
outputs:
  got: ${{ steps.call.result }}
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture(scope="module")
def there(host: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    listed = [f"127.0.0.1:{host.port}", "localhost"]
    fetch = {"allowed_private_hosts": [f"127.0.0.1:{host.port}"]}
    with platform(tmp_path_factory.mktemp("http"), workflows={"http_hosts": listed}, fetch=fetch) as made:
        yield made


def test_a_host_of_the_list_is_called_and_its_answer_is_the_result(there: Platform, host: Upstream) -> None:
    host.answer = answering(201, "application/json; charset=utf-8", b'{"rate": [1.5]}')
    run = there.result_of(STEP, url=f"{host.url}/rates?day=1")
    assert run["outputs"]["got"] == {"status": 201, "type": "application/json", "body": {"rate": [1.5]}}
    seen = host.last()
    assert (seen.method, seen.target, seen.json()) == ("POST", "/rates?day=1", {"n": 1})
    assert (seen.headers["x-test"], seen.headers["content-type"]) == ("yes", "application/json")
    assert seen.headers["idempotency-key"] == run["steps"]["call"]["jobs"][0]


def test_an_error_of_the_host_fails_the_step_with_its_words(there: Platform, host: Upstream) -> None:
    host.answer = answering(409, "text/plain", b"not like this")
    run = there.result_of(STEP, url=host.url)
    assert run["problem"]["code"] == "http_step_failed"
    assert "409: not like this" in run["problem"]["detail"]


@attack(
    threat="A step calls a host inside the network, or one that nobody allowed",
    control="Steps call only hosts of `workflows.http_hosts`, which have to be public or allowed besides",
    file="containers/orchestrator/src/orchestrator/workflows/performing.py",
)
def test_no_other_host_is_called(there: Platform, host: Upstream) -> None:
    host.reset()
    assert there.result_of(STEP, url="https://example.org/")["problem"]["code"] == "host_not_listed"
    private = there.result_of(STEP, url="http://localhost:8080/")
    assert private["problem"]["code"] == "url_not_allowed"
    for header in ('X-Test: "a\\r\\nHost: b"', '"Content-Length ": "1"', '"X\\nHost": "b"', '"": "b"'):
        broken = there.result_of(STEP.replace('X-Test: "yes"', header), url=host.url)
        assert broken["problem"]["code"] == "bad_reference", header
    assert host.seen == []


def test_a_redirect_is_not_followed(there: Platform, host: Upstream) -> None:
    host.answer = answering(302, "text/plain", b"", "Location: http://localhost:1/")
    assert there.result_of(STEP, url=host.url)["problem"]["code"] == "http_step_failed"
    assert len(host.seen) >= 1


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("https://example.com/x", True),
        ("https://EXAMPLE.com./x", True),
        ("https://example.com:8443", True),
        ("https://example.com.evil.org", False),
        ("https://evil-example.com", False),
        ("https://a.internal.org/", True),
        ("https://internal.org/", False),
        ("https://one.port:8443/", True),
        ("https://one.port/", False),
        ("https://example.com@evil.org/", False),
        ("not a url", False),
        ("http://[::1", False),
    ],
)
def test_the_list_is_of_whole_names(url: str, listed: bool) -> None:
    assert is_listed(url, ("example.com", "*.internal.org", "one.port:8443")) is listed
