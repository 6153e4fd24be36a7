"""Web pages that make a browser on this machine call the API"""

from __future__ import annotations

import httpx
import pytest

from tests.attacks.conftest import GOOD
from tests.support.attacks import attack
from tests.support.raw_http import head, problem_of

GUARD = "containers/base/src/ai_semble/guard.py"
HOST = "Only the names in `server.allowed_hosts` are answered"
ORIGIN = "A browser that says it acts for another site is refused"
EVIL = {"Origin": "https://evil.example"}


@attack(threat="DNS rebinding: the attacker's name leads to 127.0.0.1", control=HOST, file=GUARD)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.nip.io"]
)
@pytest.mark.parametrize("path", ["/health", "/metrics", "/docs", "/jobs", "/data/datasets", "/openapi.json"])
def test_a_page_whose_name_was_pointed_here_reads_nothing(api: httpx.Client, host: str, path: str) -> None:
    answer = api.get(path, headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "host_not_allowed")


@attack(
    threat="Two Host headers, one for each program on the way",
    control="Given twice, it is refused",
    file=GUARD,
)
def test_a_second_host_header_does_not_make_the_first_one_right(port: int) -> None:
    assert b"host_not_allowed" in problem_of(
        port, head("GET", "/health", "Host: evil.example", host="localhost")
    )


@attack(
    threat="An absolute address in the request line instead of a good Host header", control=HOST, file=GUARD
)
def test_a_good_name_in_the_request_line_does_not_help_a_bad_host(port: int) -> None:
    assert b"host_not_allowed" in problem_of(
        port, head("GET", "http://localhost/health", host="evil.example")
    )


@attack(threat="CSRF: a form of another site posts here", control=ORIGIN, file=GUARD)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
def test_a_form_of_another_site_posts_nothing(api: httpx.Client, kind: str) -> None:
    headers = EVIL | {"Content-Type": kind}
    answer = api.post("/ai/nlp/process", content=b'{"text": "x", "task": "language"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_refused")


@attack(threat="CSRF from a sandboxed frame, whose origin is null", control=ORIGIN, file=GUARD)
def test_a_frame_without_an_origin_posts_nothing(api: httpx.Client) -> None:
    answer = api.post("/ai/nlp/process", json=GOOD, headers={"Origin": "null"})
    assert answer.json()["code"] == "cross_site_refused"


@attack(threat="Another program's page on another port of this machine", control=ORIGIN, file=GUARD)
@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "chrome-extension://abcdef"])
def test_a_page_on_another_port_is_another_site(api: httpx.Client, origin: str) -> None:
    answer = api.post("/ai/nlp/process", json=GOOD, headers={"Origin": origin})
    assert answer.json()["code"] == "cross_site_refused"


@attack(threat="A page shows or measures an answer as a picture or a script", control=ORIGIN, file=GUARD)
@pytest.mark.parametrize("destination", ["image", "script", "iframe", "empty"])
def test_another_site_cannot_embed_an_answer(api: httpx.Client, destination: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": destination}
    assert api.get("/jobs", headers=headers).json()["code"] == "cross_site_refused"


@attack(
    threat="A page asks the browser for permission first",
    control="No foreign origin gets CORS headers",
    file=GUARD,
)
def test_another_site_gets_no_permission_to_read(api: httpx.Client) -> None:
    asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Private-Network": "true"}
    answer = api.request("OPTIONS", "/data/datasets/any", headers=EVIL | asked)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control-allow")]


@attack(threat="A page deletes a dataset", control=ORIGIN, file=GUARD)
def test_another_site_deletes_nothing(api: httpx.Client) -> None:
    api.put(
        "/data/datasets/kept",
        params={"replace": "true"},
        content=b"a\n1\n",
        headers={"Content-Type": "text/csv"},
    )
    assert api.delete("/data/datasets/kept", headers=EVIL).status_code == 403
    assert api.get("/data/datasets/kept").json()["rows"] == 1


@attack(
    threat="Clickjacking: the documentation in a frame of another site",
    control="frame-ancestors 'none', and a policy that loads nothing from elsewhere",
    file="containers/orchestrator/src/orchestrator/routes/docs.py",
)
def test_the_documentation_cannot_be_framed_and_loads_nothing_foreign(api: httpx.Client) -> None:
    policy = api.get("/docs").headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'self'" in policy
