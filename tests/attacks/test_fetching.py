"""Addresses in requests that lead inside (SSRF)"""

from __future__ import annotations

import httpx
import pytest

from tests.attacks.verdicts import verdict
from tests.support.attacks import attack
from tests.support.files import REDIRECT
from tests.support.pictures import photo
from tests.support.worlds import World

PATH = "/ai/vision/analyze"
ADDRESSES = "containers/orchestrator/src/orchestrator/fetcher/addresses.py"
URLS = "containers/orchestrator/src/orchestrator/fetcher/urls.py"
FETCHER = "containers/orchestrator/src/orchestrator/fetcher/fetcher.py"
RESOLVED = "The resolved address is checked, and connected to"


def fetch(api: httpx.Client, url: str) -> tuple[int, str]:
    return verdict(api.post(PATH, json={"image_url": url, "task": "classify"}))


@attack(threat="A URL of this machine's own services", control=RESOLVED, file=ADDRESSES)
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1.2.3", "[::1]", "0.0.0.0", "[::]"],  # noqa: S104 - nothing is bound
)
def test_a_url_does_not_reach_this_machine(api: httpx.Client, host: str) -> None:
    for port in (80, 8080):
        assert fetch(api, f"http://{host}:{port}/metrics") == (403, "url_not_allowed")


@attack(
    threat="A URL of a service behind the gateway", control="Only ports of web servers are asked", file=URLS
)
@pytest.mark.parametrize("port", [8081, 8084, 22, 25, 6379])
def test_a_url_does_not_reach_a_service_or_another_protocol(api: httpx.Client, port: int) -> None:
    assert fetch(api, f"http://example.com:{port}/") == (403, "url_not_allowed")


@attack(threat="A URL inside a private network", control=RESOLVED, file=ADDRESSES)
@pytest.mark.parametrize(
    "host", ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd00::1]", "[fec0::1]"]
)
def test_a_url_does_not_reach_a_private_network(api: httpx.Client, host: str) -> None:
    assert fetch(api, f"http://{host}/x.png") == (403, "url_not_allowed")


@attack(threat="A URL of the cloud's metadata, with its credentials", control=RESOLVED, file=ADDRESSES)
@pytest.mark.parametrize("host", ["169.254.169.254", "168.63.129.16", "[fd00:ec2::254]", "100.100.100.200"])
def test_a_url_does_not_reach_the_metadata_of_the_cloud(api: httpx.Client, host: str) -> None:
    assert fetch(api, f"http://{host}/latest/meta-data/") == (403, "url_not_allowed")


@attack(threat="A URL of the local link", control=RESOLVED, file=ADDRESSES)
@pytest.mark.parametrize(
    "host", ["169.254.1.1", "[fe80::1]", "[fe80::1%25eth0]", "224.0.0.1", "255.255.255.255"]
)
def test_a_url_does_not_reach_the_local_link(api: httpx.Client, host: str) -> None:
    assert fetch(api, f"http://{host}/x.png")[1] in ("url_not_allowed", "invalid_url")


@attack(
    threat="An IPv4 address hidden in an IPv6 one",
    control="The embedded address is checked too",
    file=ADDRESSES,
)
@pytest.mark.parametrize(
    "host",
    ["[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]"],
)
def test_an_address_inside_an_ipv6_address_is_seen(api: httpx.Client, host: str) -> None:
    assert fetch(api, f"http://{host}/x.png") == (403, "url_not_allowed")


@attack(
    threat="An address written as a number, in octal or hexadecimal",
    control="Such names are refused",
    file=URLS,
)
@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0x7f000001", "①②⑦.⓪.⓪.①"])
def test_an_address_in_another_notation_is_refused(api: httpx.Client, host: str) -> None:
    assert fetch(api, f"http://{host}/x.png")[1] in ("url_not_allowed", "invalid_url")


@attack(
    threat="A good server redirects to a bad address", control="Each redirect is checked anew", file=FETCHER
)
@pytest.mark.parametrize(
    "to", ["http://169.254.169.254/", "http://127.0.0.1:8080/metrics", "//10.0.0.1/x.png"]
)
def test_a_redirect_leads_nowhere_that_a_url_could_not(api: httpx.Client, world: World, to: str) -> None:
    leading = httpx.URL(world.files_url + REDIRECT).join(
        REDIRECT + to.replace("/", "%2F").replace(":", "%3A")
    )
    assert fetch(api, str(leading)) == (403, "url_not_allowed")


@attack(threat="A redirect to a file of the machine", control="Only http and https are fetched", file=URLS)
def test_a_redirect_to_a_file_is_not_followed(api: httpx.Client, world: World) -> None:
    assert fetch(api, f"{world.files_url}{REDIRECT}file%3A%2F%2F%2Fetc%2Fpasswd") == (422, "invalid_url")


@attack(threat="Redirects in a circle", control="`fetch.max_redirects`", file=FETCHER)
def test_redirects_in_a_circle_end(api: httpx.Client, world: World) -> None:
    circle = f"{world.files_url}{REDIRECT}"
    for _ in range(5):
        circle = (
            f"{world.files_url}{REDIRECT}{circle.replace('%', '%25').replace('/', '%2F').replace(':', '%3A')}"
        )
    assert fetch(api, circle) == (424, "url_fetch_failed")


@attack(threat="A URL that is no web address", control="Only http and https are fetched", file=URLS)
@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://x/1", "ftp://x/y", "dict://x/y", "jar:http://x!/y"]
)
def test_a_url_of_another_scheme_is_refused(api: httpx.Client, url: str) -> None:
    assert fetch(api, url) == (422, "invalid_url")


@attack(
    threat="A host hidden behind a name and a password", control="Credentials in a URL are refused", file=URLS
)
@pytest.mark.parametrize(
    "url", ["http://example.com@127.0.0.1/", "http://example.com:80@[::1]/", "http://a:b@example.com/"]
)
def test_a_url_with_credentials_is_refused(api: httpx.Client, url: str) -> None:
    assert fetch(api, url) == (403, "url_not_allowed")


@attack(
    threat="The answer of an inner server is read from an error", control="Only pictures pass", file=FETCHER
)
def test_what_is_not_a_picture_is_not_told(api: httpx.Client, world: World) -> None:
    (world.files / "secret.html").write_text("the-secret-of-the-inside")
    answer = api.post(PATH, json={"image_url": f"{world.files_url}/secret.html"})
    assert answer.json()["code"] == "url_wrong_type"
    assert "the-secret" not in answer.text


@attack(
    threat="A picture in a chat message makes the model's service fetch",
    control="It takes text only",
    file="containers/ai-services/src/ai_services/llm/engines/llama/preparing.py",
)
def test_a_chat_message_fetches_nothing(api: httpx.Client, world: World) -> None:
    photo("chelsea").save(world.files / "cat.jpg")
    content = [{"type": "image_url", "image_url": {"url": f"{world.files_url}/cat.jpg"}}]
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": 4}
    assert api.post("/v1/chat/completions", json=body).status_code == 422


@attack(
    threat="A JSON Schema refers to a file or a URL",
    control="References are looked up inside the schema only",
    file="containers/ai-services/src/ai_services/llm/engines/llama/schemas.py",
)
@pytest.mark.parametrize("reference", ["file:///etc/passwd", "http://169.254.169.254/", "//10.0.0.1/x"])
def test_a_schema_fetches_nothing(api: httpx.Client, reference: str) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": reference}}}
    body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 4, "response_format": schema}
    answer = api.post("/v1/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_schema")
    assert "root:" not in answer.text
