"""The how-to's nginx, as it stands there, before a real door."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.docs.pages import REPOSITORY
from tests.support.certificates import Pair, self_signed
from tests.support.exposed import Exposed, exposed
from tests.support.raw_http import wait_until
from tests.support.serving import free_port

HOWTO = REPOSITORY / "docs" / "howto" / "expose.md"
NAMES = "localhost, 127.0.0.1, gpu-box.example"


@dataclass(frozen=True)
class Proxied:
    """The orchestrator, and the address of nginx before it."""

    door: Exposed
    url: str
    pair: Pair

    def client(self, key: str | None = None, **headers: str) -> httpx.Client:
        """One that came to https://gpu-box.example."""
        shown = {"Authorization": f"Bearer {key}"} if key else {}
        context = ssl.create_default_context(cafile=str(self.pair.certificate))
        named = {"Host": "gpu-box.example"}
        return httpx.Client(base_url=self.url, headers=named | shown | headers, verify=context, timeout=30)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("nginx")
    pair = self_signed(folder)
    with exposed(folder, expose__trusted_proxies="local", server__allowed_hosts=NAMES) as door:
        port = free_port()
        settings = folder / "nginx.conf"
        settings.write_text(whole(server_block(door, pair, port), folder))
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert program, "nginx is missing; .ci/run installs it"
        nginx = subprocess.Popen([program, "-p", str(folder), "-c", str(settings)])
        made = Proxied(door, f"https://localhost:{port}", pair)
        try:
            wait_until(lambda: answers(made), "nginx answers")
            yield made
        finally:
            nginx.terminate()
            nginx.wait(30)


def server_block(door: Exposed, pair: Pair, port: int) -> str:
    """The how-to's, with the ports and files of this test."""
    block: str = re.findall(r"```nginx\n(.*?)```", HOWTO.read_text("utf-8"), re.DOTALL)[0]
    replaced = block.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    replaced = replaced.replace("127.0.0.1:8443", f"127.0.0.1:{door.outer_port}")
    live = "/etc/letsencrypt/live/gpu-box.example"
    replaced = replaced.replace(f"{live}/fullchain.pem", str(pair.certificate))
    return replaced.replace(f"{live}/privkey.pem", str(pair.key))


def whole(block: str, folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    head = f"daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
    return f"{head}http {{\naccess_log off;\n{temporary}{block}}}\n"


def answers(made: Proxied) -> bool:
    try:
        with made.client() as client:
            return client.get("/health/live").status_code == 200
    except httpx.TransportError:
        return False


def test_through_the_proxy_a_key_is_needed_and_suffices(proxied: Proxied) -> None:
    with proxied.client() as stranger, proxied.client(proxied.door.key) as friend:
        assert stranger.get("/jobs").json()["code"] == "api_key_required"
        answer = friend.get("/jobs")
        assert answer.status_code == 200
        assert "strict-transport-security" in answer.headers
        assert friend.get("/jobs", headers={"Host": "other.example"}).status_code == 403
        pretended = {"Host": "other.example", "X-Forwarded-Host": "gpu-box.example"}
        assert friend.get("/jobs", headers=pretended).status_code == 403


def test_a_client_behind_the_proxy_cannot_say_who_it_is(proxied: Proxied) -> None:
    """nginx puts the real address at the end of what the client invents."""
    guess = f"ais_{'c' * 12}_{'d' * 64}"
    with proxied.client(guess) as guesser:
        tries = [
            guesser.get("/jobs", headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
            for number in range(6)
        ]
    assert tries[-1] == 429


def test_a_large_body_passes_as_far_as_the_api(proxied: Proxied) -> None:
    with proxied.client(proxied.door.key) as friend:
        answer = friend.post("/ai/nlp/process", content=b"x" * (40 << 20))
    assert answer.json()["code"] == "body_too_large"
