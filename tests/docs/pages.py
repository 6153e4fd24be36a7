"""The documents as a test sees them: fenced blocks, and links.

Two comments before a block are for the tests; GitHub shows neither.
`<!-- not run: WHY -->`: the commands are checked, but not run. `<!-- words vary -->`: the answer has the shape
shown, with other values.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
ENGLISH = (
    "README.md",
    "docs/README.md",
    "docs/quickstart.md",
    "docs/images/README.md",
    *sorted(str(page.relative_to(REPOSITORY)) for page in (REPOSITORY / "docs" / "howto").glob("*.md")),
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (not run: .+|words vary) -->\n\Z")
_LINK = re.compile(r"""\]\(([^)\s]+)\)|(?:src|href)="([^"]+)\"""")


@dataclass(frozen=True)
class Block:
    """A fenced block, the line of the page that it begins in, and the comment before it."""

    language: str
    text: str
    line: int
    mark: str

    @property
    def is_run(self) -> bool:
        return not self.mark.startswith("not run:")


def read(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    text = read(page)
    return [_block(found, text) for found in _FENCE.finditer(text)]


def _block(found: re.Match[str], text: str) -> Block:
    before = text[: found.start()]
    mark = _MARK.search(before)
    return Block(found[1], found[2], before.count("\n") + 1, mark[1] if mark else "")


def commands(page: str) -> list[str]:
    """The commands of a page: its bash blocks without comments and blank lines."""
    lines = "".join(block.text for block in blocks(page) if block.language == "bash").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def japanese(page: str) -> str:
    """The Japanese page beside an English one."""
    return "README.ja.md" if page == "README.md" else page.replace("docs/", "docs/ja/", 1)


def all_pages() -> list[str]:
    """Every Markdown file that belongs to the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def links(page: str) -> Iterator[str]:
    """Targets of links and pictures, outside of code."""
    text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", read(page)))
    for found in _LINK.finditer(text):
        yield found[1] or found[2]


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
