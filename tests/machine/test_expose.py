"""The pod on the host's own address, with TLS and keys, and behind a proxy of the host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.hosts.environment import Installed
from tests.support.certificates import self_signed

PORT = 8443
LOCAL = "curl --silent --noproxy '*' http://127.0.0.1:8080/jobs"


@dataclass(frozen=True)
class Published:
    """The pod, the address of its host, and a key."""

    installed: Installed
    address: str
    key: str

    def ask(self, path: str, *options: str, key: str = "") -> tuple[int, str]:
        """Status and body of a request by curl, from the host, which knows the certificate."""
        header = f"--header 'Authorization: Bearer {key}'" if key else ""
        line = (
            f"curl --silent --max-time 20 --noproxy '*' --cacert ~/pod.crt {header} {' '.join(options)} "
            f"--write-out '\\n%{{http_code}}' https://{self.address}:{PORT}{path}"
        )
        body, _, status = self.installed.host.run(line, check=False).stdout.rpartition("\n")
        return int(status), body


@pytest.fixture(scope="module")
def published(running: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    host = running.host
    address = host.run("ip -4 -o address show scope global | awk '{print $4; exit}'").stdout.partition("/")[0]
    pair = self_signed(tmp_path_factory.mktemp("pod"), names=f"IP:{address}")
    host.run("cat > pod.crt", input=pair.certificate.read_text())
    host.run("umask 077; cat > pod.key", input=pair.key.read_text())
    try:
        running.configure("expose", "address", json.dumps(address))
        refused = running.deploy("restart", check=False)
        assert "no valid API key" in refused.stderr, refused
        key = running.deploy("keys", "create", "outside").stdout.strip()
        refused = running.deploy("restart", check=False)
        assert "no certificate" in refused.stderr, refused
        assert '"jobs"' in host.run(LOCAL).stdout  # what runs was not stopped for it
        running.deploy("certificate", "install", "../pod.crt", "../pod.key")
        running.deploy("restart")
        yield Published(running, address, key)
    finally:
        running.configure("expose", "address", '""')
        running.deploy("keys", "revoke", "outside", check=False)
        running.deploy("certificate", "remove", check=False)
        running.deploy("restart")


def test_other_machines_come_in_with_a_key_and_by_tls_alone(published: Published) -> None:
    status, body = published.ask("/jobs")
    assert (status, json.loads(body)["code"]) == (401, "api_key_required")
    assert published.ask("/jobs", key=published.key)[0] == 200
    text = """--header content-type:application/json --data '{"text": "hello", "task": "language"}'"""
    assert published.ask("/ai/nlp/process", text, key=published.key)[0] == 200
    plain = f"curl --silent --max-time 5 --noproxy '*' http://{published.address}:{PORT}/jobs"
    assert published.installed.host.run(plain, check=False).returncode != 0


def test_the_door_on_loopback_and_status_are_as_they_were(published: Published) -> None:
    host = published.installed.host
    assert '"jobs"' in host.run(LOCAL).stdout
    other = f"curl --silent --max-time 5 --noproxy '*' http://{published.address}:8080/jobs"
    assert host.run(other, check=False).returncode != 0
    published.installed.deploy("status")
    published.installed.deploy("health")


def test_in_a_pod_every_caller_has_an_address_of_podman(published: Published) -> None:
    """That is why `trusted_proxies` knows only `local` there; the day this fails, it may know more."""
    published.ask("/jobs")
    said = published.installed.deploy("logs", "--json", "--action", "access_refused", "orchestrator").stdout
    callers = {json.loads(line)["client"] for line in said.splitlines()}
    print("callers:", callers)
    assert callers
    assert published.address not in callers
