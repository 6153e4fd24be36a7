"""Commands that are not run here exist: scripts know their words, `ai-semble` knows its own."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from tests.docs.pages import REPOSITORY, all_pages, commands
from tests.support.worlds import ai_semble

_SCRIPT = re.compile(r"\./scripts/\S+\.sh(?: [^#|&;()]*)?")


def words_of_scripts() -> list[tuple[str, str]]:
    """(page, command) for every command line of a script that a document names."""
    found = {
        (page, use.strip())
        for page in all_pages()
        for line in commands(page)
        for use in _SCRIPT.findall(line)
    }
    return sorted(found)


@pytest.mark.parametrize(("page", "command"), words_of_scripts())
def test_the_script_knows_these_words(page: str, command: str) -> None:
    script, *words = shlex.split(command)
    help_text = subprocess.run(
        [str(REPOSITORY / script), "--help"], capture_output=True, text=True, check=True
    ).stdout
    known = set(re.findall(r"[\w.=-]+", help_text))
    for word in words:
        name = word.partition("=")[0]
        if (
            name.startswith("--")
            and name not in known
            and script.endswith("deploy.sh")
            and words[0] in ("models", "keys")
        ):
            assert_command_knows(words[0], words[1], name)
        elif name.startswith("--") or word == words[0]:
            assert name in known or word in known, f"{script} --help does not name {word} ({page})"


def assert_command_knows(group: str, command: str, option: str) -> None:
    shown = subprocess.run(
        [ai_semble(), group, command, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert option in shown
