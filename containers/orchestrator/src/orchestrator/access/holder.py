"""How the layer of keys tells the routes whose request it is."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Scope

from orchestrator.access.deposits import Deposit
from orchestrator.access.keys import Key

_HOLDER, _HOLD = "orchestrator.holder", "orchestrator.hold"
Hold = Callable[[], Deposit]


def tell_holder(scope: Scope, key: Key) -> None:
    scope[_HOLDER] = key


def holder_of(scope: Scope) -> Key | None:
    """None when the request has no key, or the environment itself makes it."""
    key: Key | None = scope.get(_HOLDER)
    return key


def tell_hold(scope: Scope, hold: Hold) -> None:
    scope[_HOLD] = hold


def hold_of(scope: Scope) -> Hold | None:
    """Holds the tokens of a job that is new, or raises why not; None when its tokens are not counted."""
    hold: Hold | None = scope.get(_HOLD)
    return hold
