"""deploy.sh update --from takes six images of one build, or none."""

from __future__ import annotations

import subprocess

import pytest

from ai_semble.topology import SERVICES
from tests.shell.conftest import Shell

# What it was told stands in the file `told`; the image `missing` cannot be pulled, and an older one is here.
PODMAN = """#!/bin/sh
echo "$*" >>{folder}/told
case "$1 $2" in
  pull*) [ "$3" != "{missing}" ] || {{ echo "{complaint}" >&2; exit 125; }} ;;
  image\\ inspect) [ "$3" != --format ] && if [ "$3" = "{missing}" ]; then echo "{old}"; else echo "{new}"; fi ;;
  image\\ exists | container*) ;;
  network\\ inspect) echo {network} ;;
esac
"""
NEW = "2.0.0  sha256:a sha256:b "
FROM = "registry.example/ai-semble"
NAMES = ("base", *SERVICES)


@pytest.fixture
def pod(shell: Shell) -> Shell:
    unit = shell.folder / ".config/containers/systemd/ai-semble/ai-semble.pod"
    unit.parent.mkdir(parents=True)
    unit.touch()
    (shell.folder / "told").touch()
    shell.stub("systemctl", "#!/bin/sh\n")
    return shell


def tags_given(pod: Shell, missing: str, old: str) -> tuple[list[str], str]:
    """Which images became `next` of an update in which one could not be pulled; what was said."""
    answer = update(pod, missing, old)
    told = (pod.folder / "told").read_text(encoding="utf-8").splitlines()
    return [
        line.split()[1] for line in told if line.startswith("tag ") and line.endswith(":next")
    ], answer.stderr


def update(
    pod: Shell,
    missing: str = "none",
    old: str = "",
    network: str = "false true",
    complaint: str = "no such host",
) -> subprocess.CompletedProcess[str]:
    pod.stub(
        "podman",
        PODMAN.format(
            folder=pod.folder,
            missing=f"{FROM}/{missing}:2",
            old=old,
            new=NEW,
            network=network,
            complaint=complaint,
        ),
    )
    return pod.run("deploy.sh", "update", "--from", f"{FROM}:2")


@pytest.mark.parametrize("missing", ["base", "llm"])
@pytest.mark.parametrize(
    "old",
    [
        "1.9.0  sha256:a sha256:b sha256:c ",
        "2.0.0 1234567 sha256:a sha256:b sha256:c ",
        "2.0.0  sha256:x sha256:c ",
    ],
    ids=["version", "commit", "base"],
)
def test_an_older_image_that_was_here_is_not_mixed_in(pod: Shell, missing: str, old: str) -> None:
    tags, said = tags_given(pod, missing, old)
    assert not tags
    named = "orchestrator" if missing == "base" else missing
    assert (
        f"error: {FROM}/{named}:2 and {FROM}/base:2 are not of one version; nothing was changed\nhint:  "
        in said
    )


def test_one_that_stands_on_the_same_base_is_taken_though_it_cannot_be_pulled(pod: Shell) -> None:
    tags, said = tags_given(pod, "llm", f"{NEW}sha256:c ")
    assert "It cannot be pulled; looking for it on this machine" in said
    assert tags == [f"{FROM}/{name}:2" for name in NAMES]


@pytest.mark.parametrize("refused", ["base", "llm"])
def test_for_one_that_the_policy_of_images_refuses_no_older_one_is_taken(pod: Shell, refused: str) -> None:
    complaint = "Error: Source image rejected: A signature was required, but no signature exists"
    answer = update(pod, refused, f"{NEW}sha256:c ", complaint=complaint)
    assert answer.returncode == 1
    assert complaint in answer.stderr
    assert (
        f"error: Podman's policy of images refuses {FROM}/{refused}:2; nothing was changed" in answer.stderr
    )
    assert "tag " not in (pod.folder / "told").read_text(encoding="utf-8")


def test_changed_settings_are_taken_by_a_restart_first(pod: Shell) -> None:
    """Service by service, half of them would be taken: the pod's network is made only when all of it starts."""
    settings = pod.folder / ".config/ai-semble/ai-semble.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[network]\negress = "none"\n', encoding="utf-8")
    assert "the settings have changed" not in update(pod).stderr, "nobody knows what it was started with"
    written_for = pod.folder / ".config/containers/systemd/ai-semble/ai-semble.settings"
    written_for.write_text("", encoding="utf-8")
    (pod.folder / "told").write_text("", encoding="utf-8")
    assert_refused(pod, update(pod))
    started_with = pod.folder / ".local/state/ai-semble/default/started.settings"
    started_with.parent.mkdir(parents=True)
    started_with.write_bytes(settings.read_bytes())
    assert "the settings have changed" not in update(pod).stderr


def test_a_network_that_is_not_as_the_units_say_is_made_anew_by_a_restart_first(pod: Shell) -> None:
    """The units were written for other settings by setup.sh, while the pod ran."""
    assert_refused(pod, update(pod, network="true false"))
    unit = pod.folder / ".config/containers/systemd/ai-semble/ai-semble.network"
    unit.write_text("[Network]\nInternal=true\n", encoding="utf-8")
    (pod.folder / "told").write_text("", encoding="utf-8")
    # One without a way out that still asks for names, as they were made before.
    assert_refused(pod, update(pod, network="true true"))
    assert "the settings have changed" not in update(pod, network="true false").stderr


def assert_refused(pod: Shell, answer: subprocess.CompletedProcess[str]) -> None:
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: the settings have changed since the pod was started")
    assert "hint:  First ./scripts/deploy.sh restart" in answer.stderr
    told = (pod.folder / "told").read_text(encoding="utf-8")
    assert "pull" not in told
    assert "tag" not in told
