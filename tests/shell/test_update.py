"""deploy.sh update --from takes six images of one build, or none."""

from __future__ import annotations

import pytest

from ai_semble.topology import SERVICES
from tests.shell.conftest import Shell

# What it was told stands in the file `told`; the image `missing` cannot be pulled, and an older one is here.
PODMAN = """#!/bin/sh
echo "$*" >>{folder}/told
case "$1 $2" in
  pull*) [ "$3" != "{missing}" ] ;;
  image\\ inspect) [ "$3" != --format ] && if [ "$3" = "{missing}" ]; then echo "{old}"; else echo "{new}"; fi ;;
  image\\ exists | container*) ;;
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
    shell.stub("systemctl", "#!/bin/sh\n")
    return shell


def tags_given(pod: Shell, missing: str, old: str) -> tuple[list[str], str]:
    """Which images became `next` of an update in which one could not be pulled; what was said."""
    pod.stub("podman", PODMAN.format(folder=pod.folder, missing=f"{FROM}/{missing}:2", old=old, new=NEW))
    answer = pod.run("deploy.sh", "update", "--from", f"{FROM}:2")
    told = (pod.folder / "told").read_text(encoding="utf-8").splitlines()
    return [
        line.split()[1] for line in told if line.startswith("tag ") and line.endswith(":next")
    ], answer.stderr


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
