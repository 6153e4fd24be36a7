"""Completion, in the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.client_commands import Typist
from tests.support.upstream import Upstream
from tests.unit.client.replies import fine

# Each types a line and asks for what could come next, as a tab would.
ASKING = {
    "bash": """
source <(ai-semble completion bash)
COMP_WORDS=({line}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
if [[ "{line}" == *' ' ]]; then COMP_WORDS+=(''); COMP_CWORD=$((COMP_CWORD + 1)); fi
function=$(complete -p ai-semble | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function" ai-semble
printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    "zsh": """
autoload -U compinit && compinit -u -D
eval "$(ai-semble completion zsh)"
_arguments() {{ print -l -- "$@"; }}
_describe() {{ print -l -- "$@" ${{(P)2}} ${{(P)4}}; }}
_files() {{ }}
words=({words}) CURRENT=${{#words}}
$_comps[ai-semble]
""",
    "fish": """
ai-semble completion fish | source
complete -C "{line}"
""",
}


@pytest.fixture
def variables(server: Upstream, tmp_path: Path) -> Mapping[str, str]:
    """A machine with the program in its path."""
    typist = Typist(server.url, tmp_path)
    program = tmp_path / "bin" / "ai-semble"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nexec python -m ai_semble_client "$@"\n')
    program.chmod(0o755)
    return {**typist.variables, "PATH": f"{program.parent}:{typist.variables['PATH']}"}


def completed(shell: str, line: str, variables: Mapping[str, str]) -> str:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} on this machine")
    quoted = " ".join(f"'{word}'" for word in line.split(" "))
    asked = ASKING[shell].format(line=line, words=quoted)
    flags = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    ended = subprocess.run(
        [shell, *flags, "-c", asked],
        env=dict(variables),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return ended.stdout + (ended.stderr if os.environ.get("SHOW") else "")


@pytest.mark.parametrize("shell", ASKING)
def test_commands_are_completed(shell: str, variables: Mapping[str, str]) -> None:
    shown = completed(shell, "ai-semble ", variables)
    assert {"chat", "see", "read", "nlp", "data", "jobs", "models"} <= set(
        shown.replace(":", " ").replace('"', " ").split()
    )


@pytest.mark.parametrize("shell", ASKING)
def test_what_was_begun_is_completed(shell: str, variables: Mapping[str, str]) -> None:
    shown = completed(shell, "ai-semble nlp se", variables)
    assert "sentiment" in shown
    assert "summarize" not in shown


@pytest.mark.parametrize("shell", ASKING)
def test_names_of_datasets_come_from_the_environment(
    shell: str, variables: Mapping[str, str], server: Upstream
) -> None:
    datasets = [
        {"name": name, "format": "csv", "compression": "none", "bytes": 1, "created": ""}
        for name in ("sales", "stock")
    ]
    server.answer = fine({"datasets": datasets})
    shown = completed(shell, "ai-semble data show sa", variables)
    assert "sales" in shown
    assert "stock" not in shown


def test_without_an_environment_there_are_no_names(variables: Mapping[str, str]) -> None:
    shown = completed("bash", "ai-semble data show sa", {**variables, "AI_SEMBLE_URL": "http://127.0.0.1:9"})
    assert shown.strip() == ""
