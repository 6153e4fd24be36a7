"""Images from a registry: only those that bear the wished signature are taken."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.hosts.environment import Installed
from tests.hosts.host import Host
from tests.machine.test_update import ids, make_version, update

pytestmark = pytest.mark.thorough

REGISTRY = "127.0.0.1:5000"
FROM = f"{REGISTRY}/ai-semble"
TAG = "2.1"
SERVER = "registry-of-a-test"
UNSIGNED = f"Podman's policy of images refuses {FROM}/base:{TAG}; nothing was changed"
SETTINGS = f"""version: 0.1
storage:
  filesystem:
    rootdirectory: /srv/{SERVER}
http:
  addr: {REGISTRY}
"""
# What docs/howto/update.md says, for this registry. Only a test's has no TLS.
FILES = {
    "registries.conf": f'[[registry]]\nlocation = "{REGISTRY}"\ninsecure = true\n',
    "registries.d/ai-semble.yaml": f"docker:\n  {FROM}:\n    use-sigstore-attachments: true\n",
    "policy.json": json.dumps(
        {
            "default": [{"type": "insecureAcceptAnything"}],
            "transports": {
                "docker": {FROM: [{"type": "sigstoreSigned", "keyPath": "/home/ai/keys/ai-semble.pub"}]}
            },
        }
    ),
}


@pytest.fixture(scope="module")
def publishing(running: Installed) -> Iterator[Installed]:
    """A host with a registry of its own, whose user takes only images of it that bear one signature."""
    host = running.host
    if host.recipe.backend == "kube":
        pytest.skip("Debian 12 has nothing that makes keys for such signatures; run with --host=debian13")
    host.run(
        f"""set -e
        apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install docker-registry skopeo
        systemctl disable --now docker-registry; mkdir --parents /srv/{SERVER}; cat >/srv/{SERVER}.yml
        systemd-run --quiet --unit={SERVER} docker-registry serve /srv/{SERVER}.yml""",
        user="root",
        input=SETTINGS,
        timeout=300,
    )
    files = " ".join(f"~/.config/containers/{name}" for name in FILES)
    try:
        host.run("mkdir -p keys ~/.config/containers/registries.d && echo secret >keys/passphrase")
        make_keys = "skopeo generate-sigstore-key --output-prefix keys/ai-semble"
        host.run(f"{make_keys} --passphrase-file keys/passphrase")
        for name, text in FILES.items():
            host.run(f"cat >~/.config/containers/{name}", input=text)
        yield running
    finally:
        host.run(f"rm -rf {files} ~/.config/containers/registries.d keys")
        host.run(f"systemctl stop {SERVER}; rm -r /srv/{SERVER} /srv/{SERVER}.yml", user="root")


def publish(host: Host, version: str, signed: bool) -> str:
    """The base image of a version goes to the registry, and is gone from the host; its digest there."""
    sign = "--sign-by-sigstore-private-key keys/ai-semble.private --sign-passphrase-file keys/passphrase"
    local = f"{version}/base:latest"
    host.run(
        f"podman push --quiet --digestfile digest {sign if signed else ''} {local} docker://{FROM}/base:{TAG}"
        f" && podman rmi {local}",
        timeout=300,
    )
    return host.run("cat digest && rm digest").stdout.strip()


def test_only_an_image_that_is_signed_is_taken_and_none_when_its_tag_has_moved(publishing: Installed) -> None:
    host = publishing.host
    before = ids(host)
    publish(host, make_version(host, "first", base='LABEL version="2.1"'), signed=False)
    assert UNSIGNED in update(publishing, "--from", f"{FROM}:{TAG}", status=1)
    assert host.run(f"podman image exists {FROM}/base:{TAG}", check=False).returncode

    digest = publish(host, make_version(host, "first", base='LABEL version="2.1"'), signed=True)
    told = update(publishing, "--from", f"{FROM}:{TAG}", status=1)
    assert f"Pulling {FROM}/base:{TAG}\n  {digest}\n" in told
    assert f"there is no image {FROM}/orchestrator:{TAG}; nothing was changed" in told

    publish(host, make_version(host, "second", base='LABEL version="2.2"'), signed=False)
    assert UNSIGNED in update(publishing, "--from", f"{FROM}:{TAG}", status=1), "the one from before is here"
    assert ids(host) == before
    host.run(f"podman rmi {FROM}/base:{TAG}")
