"""The comment that every file starts with: people read these files."""

from __future__ import annotations

import textwrap


def header(what: str, change: str) -> str:
    """What the file is, where it comes from, and how to change what it does."""
    sentences = (what, f"Made by `ai-semble units render`; what is written here is replaced. {change}")
    lines = [line for text in sentences for line in textwrap.wrap(text, 100, break_on_hyphens=False)]
    return "".join(f"# {line}\n" for line in lines)


def drop_in(folder: str, unit: str) -> str:
    """How to change a unit without touching its file."""
    return (
        f"To change it, write only what differs into {folder}/{unit}.d/50-mine.conf, "
        "then `./scripts/deploy.sh restart`."
    )
