"""The picture that a command is about."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ai_semble_client.calls.vision import Picture

File = Annotated[str, typer.Argument(metavar="FILE", help="A picture file, a URL, or - for standard input.")]


def picture_of(file: str) -> Picture:
    """`-` is what standard input has."""
    return sys.stdin.buffer.read() if file == "-" else file
