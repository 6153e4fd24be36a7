"""Which scope a path needs. Pure; a path that is not in the table needs a valid key and no scope."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.access.keys import Scope
from orchestrator.operations import Operation

# For supervisors and load balancers, which have no key; they tell nothing but that somebody is at home.
OPEN_PATHS = frozenset(("/health/live", "/health/ready"))
# What `deploy.sh status` reads with the environment's own secret.
OWN_PATHS = frozenset(("/health", "/metrics"))
MODELS_PATH = "/v1/models"
_SCOPES = {
    "llm": Scope.LLM,
    "vision": Scope.VISION,
    "nlp": Scope.NLP,
    "data-processor": Scope.DATA,
}
_OWN = {"/health": Scope.HEALTH, "/metrics": Scope.METRICS, "/jobs": Scope.JOBS}


class Needs:
    """The scopes of the operations, by their service, and of the orchestrator's own paths."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._exact = dict(_OWN)
        self._below: dict[str, Scope] = {"/jobs/": Scope.JOBS}
        self.may_be_jobs: set[str] = set()
        for operation in operations:
            if operation.may_be_job:
                self.may_be_jobs.add(operation.path)
            table = self._exact if operation.prefix == operation.path else self._below
            table[operation.prefix] = _SCOPES[operation.service]

    def scope(self, path: str) -> Scope | None:
        found = self._exact.get(path)
        if found is not None:
            return found
        return next((scope for prefix, scope in self._below.items() if path.startswith(prefix)), None)
