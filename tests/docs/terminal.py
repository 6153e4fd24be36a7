"""Types the blocks of a page into one shell or one interpreter, as a reader does, and keeps what each printed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import REPOSITORY, Block
from tests.support.worlds import World

_END = re.compile(r"\n<<end of block (\d+)>>\n")
_ENDS = {
    "bash": "printf '\\n<<end of block %s>>\\n' $?\n",
    "python": "print('\\n<<end of block 0>>', flush=True)\n",
}
_INTERPRETERS = {"bash": ["bash"], "python": [sys.executable, "-W", "error", "-"]}
_PICTURE = "https://example.com/image.jpg"


@dataclass(frozen=True)
class Printed:
    """What a block printed."""

    block: Block
    text: str


def type_in(language: str, blocks: Sequence[Block], world: World, folder: Path) -> list[Printed]:
    """Run the blocks one after the other; variables and files of one are there for the next.

    Raises AssertionError with what was printed when a block ends with an error.
    """
    run = subprocess.run(
        _INTERPRETERS[language],
        input="".join(_here(block.text, world) + _ENDS[language] for block in blocks),
        cwd=folder,
        env=_variables(world, folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    texts = _END.split(run.stdout)
    report = f"{run.stdout[-3000:]}\n{run.stderr[-2000:]}"
    assert len(texts) == 2 * len(blocks) + 1, f"it stopped before the end of the page:\n{report}"
    assert set(texts[1::2]) <= {"0"}, f"a command failed:\n{report}"
    return [Printed(block, text) for block, text in zip(blocks, texts[::2], strict=False)]


def folder_like_the_checkout(folder: Path) -> Path:
    """A folder to type in, with the documents' pictures where the commands look for them, and the client."""
    for name in ("docs", "configs"):
        (folder / name).symlink_to(REPOSITORY / name)
    program = folder / "bin" / "ai-semble"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ai_semble_client "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return folder


def _variables(world: World, folder: Path) -> dict[str, str]:
    """As after the client was installed; where this world is stands in its variable."""
    client = {"PYTHONPATH": str(REPOSITORY / "clients" / "python" / "src"), "AI_SEMBLE_URL": world.url}
    return {**world.variables, **client, "PATH": f"{folder / 'bin'}:{world.variables['PATH']}"}


def _here(text: str, world: World) -> str:
    """The text with the addresses of this world."""
    return text.replace("http://localhost:8080", world.url).replace(_PICTURE, f"{world.files_url}/image.jpg")
