"""The pod on the host's own address, with TLS and keys, and behind a proxy of the host."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hosts.building import USER
from tests.hosts.environment import Installed
from tests.hosts.recipes import CHECKOUT
from tests.support.certificates import self_signed

HOWTO = Path(CHECKOUT, "docs/howto/expose.md")
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


def test_root_hands_over_a_renewed_certificate_as_certbot_would(published: Published, tmp_path: Path) -> None:
    """The hook of the how-to: only root can read what certbot has fetched."""
    host = published.installed.host
    renewed = self_signed(tmp_path, names=f"IP:{published.address}")
    assert published.ask("/health/live")[0] == 200
    for name, file in (("fullchain", renewed.certificate), ("privkey", renewed.key)):
        host.run(f"umask 077; cat > /root/{name}.pem", user="root", input=file.read_text())
    hook = re.findall(r"```sh\n#!/bin/sh\n(.*?)```", HOWTO.read_text("utf-8"), re.DOTALL)[0]
    hook = hook.replace("-l you", f"-l {USER}")
    host.run(f"RENEWED_LINEAGE=/root\n{hook}", user="root")
    host.run("cat > pod.crt", input=renewed.certificate.read_text())
    assert published.ask("/jobs", key=published.key)[0] == 200  # it trusts nothing but the new one


def test_in_a_pod_every_caller_has_an_address_of_podman(published: Published) -> None:
    """That is why `trusted_proxies` knows only `local` there; the day this fails, it may know more."""
    published.ask("/jobs")
    said = published.installed.deploy("logs", "--json", "--action", "access_refused", "orchestrator").stdout
    callers = {json.loads(line)["client"] for line in said.splitlines()}
    assert callers
    assert published.address not in callers
