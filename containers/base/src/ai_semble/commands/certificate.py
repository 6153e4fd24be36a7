"""`ai-semble certificate`: install, show, remove the certificate with which other machines are met."""

from __future__ import annotations

import os
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import typer

from ai_semble.errors import NotFound
from ai_semble.loading import load_config
from ai_semble.tls import HOW, Certificate, read

MOST_BYTES = 1 << 20

app = typer.Typer(help="The certificate with which other machines are met.", no_args_is_help=True)


@app.command()
def install() -> None:
    """Take certificate, chain and key, in PEM, from standard input; what runs with TLS takes them at once."""
    file = load_config().paths().certificate_file
    described = _replace(file, sys.stdin.buffer.read(MOST_BYTES))
    _show(described)


@app.command()
def show() -> None:
    """What the installed certificate says."""
    _show(read(_installed())[1])


@app.command()
def remove() -> None:
    """Delete it with its key. What runs keeps it until it is started again."""
    _installed().unlink()
    typer.echo("Removed. What runs keeps it until: ./scripts/deploy.sh restart")


def _installed() -> Path:
    file = load_config().paths().certificate_file
    if not file.exists():
        raise NotFound("No certificate is installed", hint=f"Install one: {HOW}")
    return file


def _replace(file: Path, pem: bytes) -> Certificate:
    """Put this into the place of what was there, whole and only when it can be used. Raises BadCertificate."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        draft.write_bytes(pem)
        described = read(draft)[1]
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return described


def _show(certificate: Certificate) -> None:
    typer.echo(f"names:    {', '.join(certificate.names) or 'none'}")
    typer.echo(f"expires:  {datetime.fromtimestamp(certificate.expires_at, UTC):%Y-%m-%d %H:%M} UTC")
    if trouble := certificate.trouble(time.time()):
        typer.echo(f"warning:  {trouble}", err=True)
