"""The command line: `ai-semble chat`, `see`, `read`, `nlp`, `data`, `jobs`, `workflow`, `models`, `completion`."""

from __future__ import annotations

from importlib.metadata import entry_points


def main() -> None:
    """Entry point. Beside the services, `ai-semble` is theirs; it has these commands, too."""
    programs = entry_points(group="console_scripts", name="ai-semble")
    services = [program for program in programs if program.module != __name__]
    if services:
        services[0].load()()
        return
    from ai_semble_client.cli.app import create_cli  # noqa: PLC0415 - not needed beside the services

    create_cli()()
