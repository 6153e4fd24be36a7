"""Which scope a path needs. Pure; a path that is in no table is none, so that a new one is never open by oversight."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ai_semble.errors import MalformedRequest, NotFound
from orchestrator.access.keys import Scope
from orchestrator.operations import Operation

# For supervisors and load balancers, which have no key; they tell nothing but that somebody is at home.
OPEN_PATHS = frozenset(("/health/live", "/health/ready"))
# What `deploy.sh status` reads with the environment's own secret.
OWN_PATHS = frozenset(("/health", "/metrics"))
# The page that shows the description; it is the same everywhere, and asks for a key where one is needed.
_PARTS = ("docs.css", "docs.js", "favicon.svg", "swagger-ui-bundle.js", "swagger-ui.css")
_PAGE = frozenset(("/", "/docs", *(f"/docs/{part}" for part in _PARTS)))
# The description of the API and of workflow files: any valid key opens it.
_FREE_PATHS, _FREE_BELOW = frozenset(("/openapi.json", "/schemas/workflow.json")), "/docs/"
MODELS_PATH = "/v1/models"
_SCOPES = {
    "llm": Scope.LLM,
    "vision": Scope.VISION,
    "nlp": Scope.NLP,
    "data-processor": Scope.DATA,
}
# Routers disagree about these: to some, a path with a line feed at its end is the path without it.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_OWN = {
    "/health": Scope.HEALTH,
    "/metrics": Scope.METRICS,
    "/jobs": Scope.JOBS,
    "/workflows": Scope.WORKFLOWS,
    "/schedules": Scope.WORKFLOWS,
    "/webhooks": Scope.WORKFLOWS,
}
_OWN_BELOW = {
    "/jobs/": Scope.JOBS,
    "/workflows/": Scope.WORKFLOWS,
    "/runs/": Scope.WORKFLOWS,
    "/schedules/": Scope.WORKFLOWS,
    "/webhooks/": Scope.WORKFLOWS,
}


class Needs:
    """The scopes of the operations, by their service, and of the orchestrator's own paths."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._exact = dict(_OWN)
        self._below: dict[str, Scope] = dict(_OWN_BELOW)
        self.may_be_jobs: set[str] = set()
        for operation in operations:
            if operation.may_be_job:
                self.may_be_jobs.add(operation.path)
            table = self._exact if operation.prefix == operation.path else self._below
            table[operation.prefix] = _SCOPES[operation.service]

    def scope(self, path: str) -> Scope | None:
        """None for what any key opens. Raises NotFound."""
        found = self._exact.get(path)
        if found is not None:
            return found
        for prefix, scope in self._below.items():
            if path.startswith(prefix):
                return scope
        if path in _FREE_PATHS or path.startswith(_FREE_BELOW):
            return None
        raise NotFound("There is nothing at this path")


def is_open(path: str) -> bool:
    """Whether nobody needs a key for it."""
    return path in OPEN_PATHS or path in _PAGE


def check_path(path: str) -> None:
    """Raises MalformedRequest for a path that two programs could read in two ways."""
    if _CONTROL.search(path):
        raise MalformedRequest("No path has control characters in it", hint="Check how the path is made.")
