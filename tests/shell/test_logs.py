"""deploy.sh logs of a pod: what cannot be is said, and what is not there, too."""

from __future__ import annotations

import sys

import pytest

from tests.shell.conftest import Shell

# A journal without a line; it knows one time.
JOURNALCTL = """#!/bin/sh
while [ $# -gt 0 ]; do
  if [ "$1" = --since ] && [ "$2" != yesterday ]; then echo "Failed to parse timestamp: $2" >&2; exit 1; fi
  shift
done
"""


@pytest.fixture
def pod(shell: Shell) -> Shell:
    unit = shell.folder / ".config/containers/systemd/ai-semble/ai-semble.pod"
    unit.parent.mkdir(parents=True)
    unit.touch()
    shell.stub("journalctl", JOURNALCTL)
    # The image's words need no container here.
    shell.stub(
        "podman", f"""#!/bin/sh\nwhile [ "$1" != python ]; do shift; done\nshift; {sys.executable} "$@"\n"""
    )
    return shell


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--since", "WRONG"], "--since needs a time, not WRONG"),
        (["--lines", "some"], "--lines needs a number, not some"),
        (["--level", "loud"], "there is no level loud"),
        (["gpu"], "there is no service gpu"),
        (["llm", "nlp"], "logs knows one service or all, not llm and nlp"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_a_wrong_usage(pod: Shell, words: list[str], error: str) -> None:
    answer = pod.run("deploy.sh", "logs", *words)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(f"error: {error}\nhint:  ")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--json"],
        ["--since", "yesterday", "llm"],
        ["--request", "nobody"],
        ["--json", "--action", "none"],
    ],
    ids=" ".join,
)
def test_that_no_line_matches_is_said_and_no_failure(pod: Shell, words: list[str]) -> None:
    answer = pod.run("deploy.sh", "logs", *words)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "no lines match\n")


def test_lines_are_shown_without_that_remark(pod: Shell) -> None:
    pod.stub("journalctl", '#!/bin/sh\nprintf \'{"level": "INFO"}\\n\\n\'\n')
    answer = pod.run("deploy.sh", "logs", "--json")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, '{"level": "INFO"}\n', "")
