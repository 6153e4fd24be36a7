"""The images that setup.sh made: what is in them and what is not, built again, and built by hand."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ai_semble.topology import SERVICES
from tests.hosts.environment import Installed
from tests.hosts.recipes import CHECKOUT
from tests.hosts.supplies import CLONE
from tests.hosts.surroundings import HOST_BASE_IMAGE, HOST_BUNDLE

IMAGES = ("base", *SERVICES)
REBUILT, REBUILT_TAG = ("base", "orchestrator"), "rebuilt"
REBUILT_WITHIN_S = 900
# The name that the committed Containerfile stands on.
OUTSIDE_IMAGE = "docker.io/library/debian:trixie-slim"
TYPED = re.findall(
    r"^podman build .*$", Path(CHECKOUT, "docs/reference/images.md").read_text(encoding="utf-8"), re.MULTILINE
)
LARGEST, LARGEST_ORCHESTRATOR = 1_200_000_000, 250_000_000
OCI = "org.opencontainers.image."
FILES = "find / -xdev -type f"
PEM_LINE = 64
MOST_PATTERNS = 20
DISTRIBUTIONS = """
import re
from importlib.metadata import distributions
for found in distributions():
    print(re.sub("[-_.]+", "-", found.metadata["Name"]).lower(), found.version)
"""
# What a rebuild is told in secret. A mirror may ask for a name and a password; who asks for none does not mind.
USER, PASSWORD, BUNDLE = "user-of-the-index", "word-of-that-user", "certificates-of-the-proxy.pem"
REBUILD = f"""
set -euo pipefail
source scripts/lib/common.sh
source scripts/lib/images.sh
podman() {{
  if [[ "$1" == build ]]; then set -- build --no-cache "${{@:2}}"; fi
  command podman "$@"
}}
cp "${{AI_SEMBLE_CA_BUNDLE:-{HOST_BUNDLE}}}" /tmp/{BUNDLE}
export AI_SEMBLE_CA_BUNDLE=/tmp/{BUNDLE} PIP_INDEX_URL="${{PIP_INDEX_URL:-https://pypi.org/simple/}}"
PIP_INDEX_URL="$(sed -E 's#//([^@/]*@)?#//{USER}:{PASSWORD}@#' <<<"$PIP_INDEX_URL")"
for name in {" ".join(REBUILT)}; do build_image "$name" {REBUILT_TAG}; done
"""

each_image = pytest.mark.parametrize("name", IMAGES)


@pytest.fixture(scope="module")
def built(installed: Installed) -> Installed:
    """The host of one backend: what builds is Podman alone, with the same Containerfiles on all."""
    backend = installed.host.recipe.backend
    if backend != "quadlet":
        pytest.skip(f"the images do not depend on the backend, which is {backend}; run with --host=debian13")
    return installed


def latest(name: str) -> str:
    return f"localhost/ai-semble/{name}:latest"


def inspected(built: Installed, image: str) -> dict[str, Any]:
    shown: list[dict[str, Any]] = json.loads(built.host.run(f"podman image inspect {image}").stdout)
    return shown[0]


def inside(built: Installed, image: str, command: str) -> str:
    """What a line of shell prints in an image, where root sees every file."""
    words = ["podman", "run", "--rm", "--network=none", "--log-driver=none", "--user=0:0", image]
    return built.host.run(shlex.join([*words, "bash", "-c", command]), timeout=300).stdout


@pytest.mark.parametrize("line", TYPED)
def test_a_build_that_is_typed_makes_the_very_image_that_setup_made(built: Installed, line: str) -> None:
    target = re.findall(r"localhost/ai-semble/(\S+):latest", line)[0]
    typed = line.replace("localhost/ai-semble/", "localhost/typed/")
    # Not every machine reaches the registry.
    tags = f"podman tag {HOST_BASE_IMAGE} {OUTSIDE_IMAGE}"
    clean = f"podman image rm {OUTSIDE_IMAGE} localhost/typed/{target}:latest >/dev/null"
    try:
        said = built.script(f"{tags} && {typed} 2>&1", timeout=300).stdout
        steps = [step for step in re.findall(r"STEP \d+/\d+: (\w+)", said) if step != "FROM"]
        assert steps
        assert said.count("Using cache") == len(steps), said
        assert (
            inspected(built, f"localhost/typed/{target}:latest")["Id"]
            == inspected(built, latest(target))["Id"]
        )
    finally:
        built.script(clean, check=False)


def test_the_front_page_of_the_images_names_a_build_for_each() -> None:
    named = [re.findall(r"localhost/ai-semble/(\S+):latest", line) for line in TYPED]
    assert named == [[name] for name in ("base", "orchestrator", "llm", "vision", "nlp", "data-processor")]


@pytest.fixture(scope="module")
def rebuilt(built: Installed) -> Iterator[str]:
    """The tag of images that setup.sh's own function builds anew, told other secrets than the present ones were."""
    images = " ".join(f"localhost/ai-semble/{name}:{REBUILT_TAG}" for name in REBUILT)
    try:
        built.host.run(f"cd {CLONE} && bash -s", input=REBUILD, timeout=REBUILT_WITHIN_S)
        yield REBUILT_TAG
    finally:
        built.script(f"rm -f /tmp/{BUNDLE}; podman image rm {images}", check=False)


@pytest.mark.parametrize("name", REBUILT)
def test_the_same_sources_make_the_same_layers_without_a_cache(
    built: Installed, rebuilt: str, name: str
) -> None:
    again, before = (
        inspected(built, f"localhost/ai-semble/{name}:{tag}")["RootFS"]["Layers"]
        for tag in (rebuilt, "latest")
    )
    assert again == before


@pytest.mark.parametrize("name", REBUILT)
def test_an_image_does_not_remember_the_secrets_of_its_build(
    built: Installed, rebuilt: str, name: str
) -> None:
    image = f"localhost/ai-semble/{name}:{rebuilt}"
    told = built.host.run(
        f"podman history --no-trunc --format json {image}; podman image inspect {image}"
    ).stdout
    assert "install-python requirements" in told or "ai_semble.inventory" in told
    for secret in (USER, PASSWORD, BUNDLE):
        assert secret not in told
    search = f"{FILES} -exec grep --files-with-matches -e {USER} -e {PASSWORD} -e {BUNDLE} {{}} +; true"
    assert inside(built, image, search) == ""


@each_image
def test_no_file_of_an_image_holds_a_certificate_of_this_network(built: Installed, name: str) -> None:
    given = built.host.run(f"cat {HOST_BUNDLE}").stdout
    ordinary = built.host.run("cat /usr/share/ca-certificates/mozilla/*").stdout
    lines = sorted(line for line in set(given.split()) - set(ordinary.split()) if len(line) == PEM_LINE)
    if not lines:
        pytest.skip("this machine trusts no other certificates than Debian does")
    # The search finds what is there: Debian's own.
    known = next(line for line in ordinary.split() if len(line) == PEM_LINE)
    assert "ca-certificates.crt" in inside(built, latest(name), search_for([known]))
    assert inside(built, latest(name), search_for(lines[:MOST_PATTERNS])) == ""


def search_for(lines: list[str]) -> str:
    patterns = " ".join(f"-e {shlex.quote(line)}" for line in lines)
    return f"{FILES} -exec grep --files-with-matches --fixed-strings {patterns} {{}} +; true"


@each_image
def test_its_inventory_is_valid_and_names_what_is_there(built: Installed, name: str) -> None:
    text = inside(built, latest(name), "cat /usr/share/ai-semble/sbom.cdx.json")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found: dict[str, set[str]] = {"pypi": set(), "deb": set()}
    for component in json.loads(text)["components"]:
        kind = component["purl"].removeprefix("pkg:").partition("/")[0]
        found[kind].add(f"{component['name']} {component['version']}")
    distributions = inside(built, latest(name), f"python -c {shlex.quote(DISTRIBUTIONS)}").splitlines()
    assert "ai-semble" in {line.split()[0] for line in distributions}
    assert found["pypi"] == set(distributions)
    packages = "dpkg-query --show --showformat='${db:Status-Status} ${Package} ${Version}\\n'"
    lines = inside(built, latest(name), packages).splitlines()
    assert found["deb"] == {
        line.removeprefix("installed ") for line in lines if line.startswith("installed ")
    }


@each_image
def test_nothing_that_builds_is_left_in_it(built: Installed, name: str) -> None:
    left = """
        for word in pip pip3 gcc cc c++ g++ make ld; do command -v "$word"; done
        python -m pip --version 2>/dev/null
        find / -xdev \\( -name 'pip-*.whl' -o -path '*-packages/pip' -o -path /root/.cache -o -path /build \\
          -o -path /build-tools -o -path '/run/secrets/*' \\)
        find /var/lib/apt/lists /var/cache/apt /tmp /var/tmp -type f
        true"""
    assert inside(built, latest(name), left) == ""


@each_image
def test_it_runs_as_a_user_without_rights_and_says_what_it_is(built: Installed, name: str) -> None:
    config = inspected(built, latest(name))["Config"]
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert not config.get("Entrypoint")
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items() if key.startswith(OCI)}
    assert labels["title"].startswith("Ai-semble ")
    assert labels["description"]
    assert labels["licenses"] == "Apache-2.0"
    run = f"podman run --rm --network=none --log-driver=none {latest(name)}"
    shown = built.host.run(f"{run} ai-semble version && {run} id --user --name", timeout=60).stdout.split()
    assert shown[-1] == "ai-semble"
    assert labels["version"] in shown


@each_image
def test_it_is_not_larger_than_it_may_be(built: Installed, name: str) -> None:
    assert inspected(built, latest(name))["Size"] < LARGEST


def test_the_orchestrator_adds_little_to_debian(built: Installed) -> None:
    sizes = [inspected(built, image)["Size"] for image in (latest("orchestrator"), HOST_BASE_IMAGE)]
    assert sizes[0] - sizes[1] < LARGEST_ORCHESTRATOR
