"""How the layer of keys tells the routes whose request it is."""

from __future__ import annotations

from starlette.types import Scope

from orchestrator.access.keys import Key

_NAME = "orchestrator.holder"


def tell_holder(scope: Scope, key: Key) -> None:
    scope[_NAME] = key


def holder_of(scope: Scope) -> Key | None:
    """None when the request has no key, or the environment itself makes it."""
    key: Key | None = scope.get(_NAME)
    return key
