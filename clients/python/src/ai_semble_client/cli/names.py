"""Names that a shell completes with. Whatever fails, there are none."""

from __future__ import annotations

from collections.abc import Callable

from ai_semble_client.client import Client
from ai_semble_client.errors import AiSembleError
from ai_semble_client.settings import Settings

PATIENCE_S = 2.0


def datasets(incomplete: str) -> list[str]:
    """Datasets whose name begins so."""
    return _found(incomplete, lambda client: [dataset.name for dataset in client.datasets()])


def jobs(incomplete: str) -> list[str]:
    """Ids of jobs that begin so, newest first."""
    return _found(incomplete, lambda client: [job.id for job in client.jobs(limit=20)])


def workflows(incomplete: str) -> list[str]:
    """Workflows whose name begins so."""
    return _found(incomplete, lambda client: [workflow.name for workflow in client.workflows()])


def _found(incomplete: str, names: Callable[[Client], list[str]]) -> list[str]:
    try:
        with Client(settings=Settings.load(timeout_s=PATIENCE_S, retries=0)) as client:
            return [name for name in names(client) if name.startswith(incomplete)]
    except AiSembleError:
        return []
