"""Who asks for jobs, as the layer of keys has told it."""

from __future__ import annotations

from starlette.types import Scope

from orchestrator.access.holder import holder_of
from orchestrator.access.keys import Scope as KeyScope
from orchestrator.jobs.askers import ANYBODY, Asker


def asker_of(scope: Scope) -> Asker:
    """The holder of the request's key; anybody when there is none."""
    holder = holder_of(scope)
    if holder is None:
        return ANYBODY
    return Asker(holder.id, sees_all=KeyScope.ALL_JOBS in holder.scopes)
